/** The root verbs with a real server: what they promise is what it does. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { mint, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runWith, type VerbOutcome } from "./root-rig.ts";

const timeout = 30_000;
const waiveFiles = ["--waive", "class/files", "--for", "1h", "--yes", "--reason", "handed out"];

function verbOf({ controlPlane }: TestControlPlane) {
  return (...words: readonly string[]): Promise<VerbOutcome> =>
    runWith(["root", ...words, "--admin", controlPlane.endpoints.admin], {
      nowMs: Date.now,
      signal: AbortSignal.timeout(20_000),
    });
}

async function statesOf(root: ReturnType<typeof verbOf>): Promise<readonly string[]> {
  const { stdout } = await root("status", "-o", "json");
  const { authorities } = JSON.parse(stdout) as { authorities: readonly { state: string }[] };
  return authorities.map(({ state }) => state).toSorted();
}

describe("with a real server", () => {
  it(
    "a rotation goes from the first step to the last, and nothing of it is left",
    { timeout },
    async () => {
      await using it = await startControlPlane();
      const root = verbOf(it);
      const old = it.controlPlane.trust.authority.signer.id;
      const before = await root("status");
      assert.equal(before.status, 0, before.stdout);
      assert.match((await root("plan")).stdout, /^next: portcullis root rotate --admin \S+$/m);
      const { status, stdout, stderr } = await root("rotate", "--key-type", "p384");
      assert.deepEqual([status, stderr], [0, ""], stdout);
      const signer = it.controlPlane.trust.authority.signer.id;
      assert.notEqual(signer, old);
      assert.match(stdout, new RegExp(`done: authority ${signer} signs`));
      assert.deepEqual(await statesOf(root), ["active"]);
      const again = await root("rotate", "--resume");
      assert.equal(again.status, 4);
    },
  );

  it("each step says the next, and each is refused out of its turn", { timeout }, async () => {
    await using it = await startControlPlane();
    const root = verbOf(it);
    const next = async (verb: string) => {
      const { status, stdout, stderr } = await root(verb);
      const pasted = ` --admin ${it.controlPlane.endpoints.admin}`;
      return `${status} ${/^next: (.*)$/m.exec(stdout)?.[1] ?? /\((.*)\)$/m.exec(stderr)?.[1]}`.replaceAll(
        pasted,
        "",
      );
    };
    assert.equal(await next("activate"), "4 nothing-prepared");
    assert.equal(await next("retire"), "4 nothing-to-retire");
    assert.equal(await next("prepare"), "0 portcullis root activate");
    assert.equal(await next("prepare"), "4 rotation-in-progress");
    assert.equal((await root("activate", "--dry-run")).status, 0);
    assert.equal(await next("activate"), "0 portcullis root retire");
    assert.equal(await next("abort"), "4 nothing-prepared");
    assert.equal(await next("rollback"), "0 portcullis root abort");
    assert.equal(await next("abort"), "0 portcullis root status");
  });

  it(
    "a class of readers is waived by name, and a certificate is waited for by name",
    { timeout },
    async () => {
      await using it = await startControlPlane({ flags: { unobserved: "files" } });
      const root = verbOf(it);
      await issue(it);
      await root("prepare");
      const held = await root("activate");
      assert.equal(held.status, 4);
      assert.match(held.stderr, /^class\/files +(- +)?unobservable/m);
      assert.match(held.stderr, /^leaf\/[0-9a-f]+ +spiffe:\S+\/sa\/cart +not-renewed +in \d+[dh]/m);
      // Its owner has no agent: whether it took the reply to a later request, nobody knows.
      await issue(it);
      const waived = await root("activate", ...waiveFiles, "--waive", "spiffe://*/sa/cart");
      assert.equal(waived.status, 0, waived.stderr);
      assert.match((await root("status")).stdout, /^class\/files +in .* handed out$/m);
      const retired = await root("retire");
      assert.equal(retired.status, 4);
      assert.match(retired.stderr, /^refused: .*\(holders-left\)\n/);
      assert.match(retired.stderr, /^2 certificates +spiffe:\S+\/sa\/cart +unexpired +in \d+[dh]/m);
      assert.match(retired.stderr, /^at the latest in /m);
      assert.equal((await root("status")).status, 3);
    },
  );

  it(
    "what files have begun is watched, and the server goes on with it by itself",
    { timeout },
    async () => {
      using directory = temporaryDirectory();
      const pki = new OpensslPki(directory.path);
      const [old, next] = [pki.root("old"), pki.root("next")];
      const caDir = pki.directory(caFiles(old));
      await using it = await startControlPlane({ flags: { "ca-dir": caDir, unobserved: "files" } });
      const root = verbOf(it);
      for (const [name, pem] of Object.entries(caFiles(next)))
        writeFileSync(join(caDir, name), pem);
      await it.controlPlane.reloadTrust();
      const admin = ["--admin", it.controlPlane.endpoints.admin];
      const waiting = await runWith(["status", ...admin], { nowMs: Date.now });
      assert.equal(waiting.status, 3);
      assert.match(waiting.stdout, /^the CA on disk does not sign yet, .*: activate: waits /m);
      assert.match(waiting.stdout, /^hint: portcullis root status --admin \S+$/m);
      assert.match((await root("status")).stdout, /^by itself: activate: waits /m);
      // Handed out once; and once more, without the root that was retired.
      const first = await root("rotate", "--resume", "--timeout", "6s", ...waiveFiles);
      assert.equal(first.status, 3, first.stdout + first.stderr);
      assert.doesNotMatch(first.stdout, /^activate: /m);
      assert.match(first.stdout, /^step 2 of 6, [^]*^step 6 of 6, .*class\/files/m);
      const { status, stdout, stderr } = await root("rotate", "--resume", ...waiveFiles);
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /^done: /m);
    },
  );

  it(
    "an offline root signs the request, and the rotation goes on with what comes back",
    { timeout },
    async () => {
      await using it = await startControlPlane({ flags: { unobserved: "files" } });
      using directory = temporaryDirectory();
      const root = verbOf(it);
      const asked = await root("prepare", "--csr-for-offline-root");
      assert.equal(asked.status, 0, asked.stderr);
      assert.deepEqual(await statesOf(root), ["active"]);
      const ca = join(directory.path, "ca");
      signOffline(directory.path, asked.stdout, ca);
      const early = await root("rotate", "--from-dir", ca, ...waiveFiles);
      assert.equal(early.status, 2);
      assert.match(early.stderr, /--waive: expected --resume with it/);
      for (const words of [
        ["prepare", "--from-dir", ca],
        ["activate", ...waiveFiles],
        ["retire"],
        ["rotate", "--resume", ...waiveFiles],
      ]) {
        const { status, stdout, stderr } = await root(...words);
        assert.equal(status, 0, stdout + stderr);
      }
      assert.equal(it.controlPlane.trust.authorityParts.chain.length, 1);
    },
  );

  it(
    "a leaked key is distrusted at once, and the command ends when nobody trusts it",
    { timeout },
    async () => {
      await using it = await startControlPlane();
      const root = verbOf(it);
      const leaked = it.controlPlane.trust.authority.signer.id;
      const { status, stdout, stderr } = await root("compromise", leaked, "--yes-break", leaked);
      assert.equal(status, 0, stdout + stderr);
      assert.match(stderr, /^connections that are open survive/m);
      assert.match(stdout, new RegExp(`nobody trusts authority ${leaked} any more\n$`));
      assert.equal(it.controlPlane.trust.bundle.roots.length, 1);
      assert.notEqual(it.controlPlane.trust.authority.signer.id, leaked);
    },
  );
});

function caFiles({ certPem, keyPem }: PkiNode): Readonly<Record<string, string>> {
  return { "ca-cert.pem": certPem, "ca-key.pem": keyPem, "root-cert.pem": certPem };
}

/** For a workload without an agent. */
async function issue(it: TestControlPlane): Promise<void> {
  const { csrPem } = await createCsr();
  const request = {
    server: it.address,
    serverRoots: Buffer.from(it.rootPem),
    token: mint(),
    csrPem,
    ttlSeconds: 0,
    timeoutMs: 5_000,
  };
  await requestCertificate(request, AbortSignal.timeout(5_000));
}

/** As docs/ca.md has it. */
function signOffline(path: string, csr: string, ca: string): void {
  writeFileSync(join(path, "intermediate.csr"), csr);
  writeFileSync(
    join(path, "root.cnf"),
    "[req]\ndistinguished_name=name\nx509_extensions=root\nprompt=no\n[name]\nCN=offline\n" +
      "[root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n" +
      "[intermediate]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n" +
      "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
  );
  mkdirSync(ca, { mode: 0o700 });
  const openssl = (...words: readonly string[]) =>
    void execFileSync("openssl", words, { cwd: path, stdio: "pipe" });
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-384",
    "-nodes",
    "-keyout",
    "root.key",
  ];
  openssl(
    "req",
    "-x509",
    ...key,
    "-days",
    "3650",
    "-config",
    "root.cnf",
    "-out",
    join(ca, "root-cert.pem"),
  );
  const issuer = ["-CA", join(ca, "root-cert.pem"), "-CAkey", "root.key", "-CAcreateserial"];
  const extensions = ["-extfile", "root.cnf", "-extensions", "intermediate"];
  openssl(
    "x509",
    "-req",
    "-in",
    "intermediate.csr",
    ...issuer,
    "-sha384",
    "-days",
    "365",
    ...extensions,
    "-out",
    join(ca, "ca-cert.pem"),
  );
}
