/** From `root csr` by way of an offline root of OpenSSL's to `root import`, and what `root import` refuses. */

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ExitCode, type Command } from "../../src/app/cli/command.ts";
import { rootCsr } from "../../src/app/cli/verbs/root-csr.ts";
import { rootImport } from "../../src/app/cli/verbs/root-import.ts";
import { UsageError } from "../../src/app/cli/usage-error.ts";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { parseCsr, verifyCsrSignature } from "../../src/core/x509/csr.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import { CaKeyError } from "../../src/edge/ca/ca-key-error.ts";
import { loadPluggedCa } from "../../src/edge/ca/plugged-ca.ts";
import { openssl, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb, type Flags, type VerbResult } from "./run-verb.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;
const root = pki.root("offline root", { key: "rsa2048", days: 3_650 });
let count = 0;

const run = (verb: Command, flags: Flags): Promise<VerbResult> => runVerb(verb, flags, nowMs);

const newPath = (): string => join(temporary.path, `ca-${count++}`);

function file(contents: string): string {
  const path = join(temporary.path, `file-${count++}.pem`);
  writeFileSync(path, contents);
  return path;
}

async function request(flags: Flags = {}): Promise<{ dir: string; csr: string }> {
  const dir = newPath();
  const { out } = await run(rootCsr, { out: dir, "trust-domain": "prod.example", ...flags });
  return { dir, csr: out };
}

const rootFile = file(root.certPem);
const sign = (csr: string, issuer = root): string => pki.sign(issuer, csr, true);
const importTo = (dir: string, cert: string, flags: Flags = {}): Promise<VerbResult> =>
  run(rootImport, { dir, cert: file(cert), root: rootFile, ...flags });

describe("root csr", () => {
  for (const keyType of ["p256", "p384", "rsa3072", "rsa4096"] as const) {
    it(`makes a key of type ${keyType} and a request that OpenSSL verifies`, async () => {
      const { dir, csr } = await request({ "key-type": keyType });
      assert.equal(readFileSync(join(dir, "ca.csr"), "utf8"), csr);
      assert.deepEqual(readdirSync(dir).toSorted(), ["ca-key.pem", "ca.csr"]);
      assert.equal(statSync(join(dir, "ca-key.pem")).mode & 0o777, 0o600);
      const asked = ["-subject", "-nameopt", "RFC2253", "-text"];
      const said = openssl(["req", "-verify", "-noout", ...asked], csr);
      assert.match(said, /^subject=CN=Portcullis intermediate [0-9a-f]{16},O=prod\.example$/m);
      assert.match(said, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
      assert.match(said, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
      assert.match(said, /Subject Key Identifier/);
      const parsed = parseCsr(parseSinglePem(csr, "CERTIFICATE REQUEST"));
      assert.ok(verifyCsrSignature(parsed));
      const key = createPrivateKey(readFileSync(join(dir, "ca-key.pem")));
      assert.equal(key.asymmetricKeyType, keyType.startsWith("rsa") ? "rsa" : "ec");
    });
  }

  it("encrypts the key with the passphrase of a file", async () => {
    const { dir } = await request({ "key-passphrase-file": file("secret\n") });
    const key = readFileSync(join(dir, "ca-key.pem"), "utf8");
    assert.match(key, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    assert.ok(createPrivateKey({ key, passphrase: "secret" }));
  });

  it("never replaces a key, nor the request that belongs to it", async () => {
    const { dir, csr } = await request();
    const key = readFileSync(join(dir, "ca-key.pem"));
    await assert.rejects(
      run(rootCsr, { out: dir, "trust-domain": "other.example" }),
      (error) => error instanceof CaKeyError && error.code === "ca-key-exists",
    );
    assert.deepEqual(readFileSync(join(dir, "ca-key.pem")), key);
    assert.equal(readFileSync(join(dir, "ca.csr"), "utf8"), csr);
  });

  it("makes nothing for a trust domain that is none, or for two kinds of keys", async () => {
    const out = newPath();
    await assert.rejects(run(rootCsr, { out, "trust-domain": "Prod Example" }));
    const both = { key: "pkcs11:token=a", "key-type": "p256" };
    await assert.rejects(
      run(rootCsr, { out, "trust-domain": "prod.example", ...both }),
      UsageError,
    );
    assert.ok(!existsSync(out));
  });
});

describe("root import", () => {
  it("takes what the root signed: a server starts on it, and OpenSSL verifies it", async () => {
    const { dir, csr } = await request();
    const { code, out, err } = await importTo(dir, sign(csr));
    assert.deepEqual([code, err], [ExitCode.ok, ""]);
    assert.match(
      out,
      /^authority [0-9a-f]{40} \(expires in \d+d.*\) in .*: 1 in its chain, 1 trusted root\n/,
    );
    assert.match(out, /\nnext: portcullis server --ca-dir .*ca-\d+ \.\.\.\n$/);
    assert.deepEqual(readdirSync(dir).toSorted(), [
      "ca-cert.pem",
      "ca-key.pem",
      "ca.csr",
      "cert-chain.pem",
      "root-cert.pem",
    ]);
    const { ca } = await loadPluggedCa(dir, { nowMs });
    assert.deepEqual([ca.root, ca.chain.length, ca.warnings], [root.der, 1, []]);
    const path = (name: string): string => join(dir, name);
    openssl(["verify", "-x509_strict", "-CAfile", path("root-cert.pem"), path("ca-cert.pem")]);
  });

  it("takes intermediates beside the certificate or behind it", async () => {
    const middle = pki.under(root, "middle");
    for (const behind of [true, false]) {
      const { dir, csr } = await request();
      const cert = sign(csr, middle);
      await (behind
        ? importTo(dir, cert + middle.certPem)
        : importTo(dir, cert, { chain: file(middle.certPem + root.certPem) }));
      const { ca } = await loadPluggedCa(dir, { nowMs });
      assert.deepEqual(ca.chain[1], middle.der);
    }
  });

  it("takes a certificate of an encrypted key with its passphrase, and not without", async () => {
    const passphrase = { "key-passphrase-file": file("secret") };
    const { dir, csr } = await request(passphrase);
    const cert = sign(csr);
    await assert.rejects(
      importTo(dir, cert),
      (error) => error instanceof CaKeyError && error.code === "ca-key-encrypted",
    );
    assert.ok(!existsSync(join(dir, "ca-cert.pem")));
    assert.match((await importTo(dir, cert, passphrase)).out, /--key-passphrase-file/);
  });

  it("replaces a certificate by one that the same root signed later", async () => {
    const { dir, csr } = await request();
    await importTo(dir, sign(csr));
    const first = readFileSync(join(dir, "ca-cert.pem"), "utf8");
    await importTo(dir, sign(csr));
    assert.notEqual(readFileSync(join(dir, "ca-cert.pem"), "utf8"), first);
    assert.ok(await loadPluggedCa(dir, { nowMs }));
  });

  it("exits 3 and says what is worth a look", async () => {
    const { dir, csr } = await request();
    const { code, err } = await run(rootImport, {
      dir,
      cert: file(sign(csr)),
      root: file(root.certPem + pki.root("other").certPem),
    });
    assert.equal(code, ExitCode.warning);
    assert.match(err, /^warning: .*"O=prod\.example, CN=other" .* is trusted/);
  });

  const stranger = pki.root("stranger");
  interface Refusal {
    readonly what: string;
    readonly code: string;
    readonly prepare?: (dir: string) => void;
    readonly cert?: (csr: string) => string;
    readonly flags?: Flags;
  }
  const refusals: readonly Refusal[] = [
    {
      what: "of another key",
      code: "ca-key-mismatch",
      cert: () => pki.under(root, "other").certPem,
    },
    { what: "of another root", code: "ca-chain-broken", cert: (csr) => sign(csr, stranger) },
    { what: "that is no CA", code: "ca-not-a-ca", cert: (csr) => pki.sign(root, csr, false) },
    { what: "that is the request", code: "ca-file-malformed", cert: (csr) => csr },
    { what: "without a directory", code: "ca-files-missing", flags: { dir: "/nonexistent/ca" } },
    {
      what: "without a key",
      code: "ca-key-missing",
      flags: { dir: pki.directory({}) },
    },
    {
      what: "of a key in a token beside a key file",
      code: "ca-key-elsewhere",
      flags: { key: "pkcs11:token=a?module-path=/none.so" },
    },
    {
      what: "over other roots",
      code: "ca-root-changed",
      prepare: (dir) => writeFileSync(join(dir, "root-cert.pem"), stranger.certPem),
    },
    {
      what: "beside a TLS Secret",
      code: "ca-files-two-layouts",
      prepare: (dir) => writeFileSync(join(dir, "ca.crt"), root.certPem),
    },
    {
      what: "under lists that do not know it",
      code: "ca-crl-missing",
      prepare: (dir) => writeFileSync(join(dir, "ca-crl.pem"), pki.crl(root)),
    },
  ];
  for (const { what, code, prepare, cert = sign, flags } of refusals) {
    it(`refuses a certificate ${what}, and writes nothing`, async () => {
      const { dir, csr } = await request();
      prepare?.(dir);
      const before = readdirSync(dir);
      await assert.rejects(importTo(dir, cert(csr), flags), (error) => {
        assert.ok(error instanceof CaFilesError || error instanceof CaKeyError, String(error));
        assert.equal(error.code, code);
        return true;
      });
      assert.deepEqual(readdirSync(dir), before);
    });
  }

  it("says of other roots what it would take", async () => {
    const { dir, csr } = await request();
    await importTo(dir, sign(csr));
    const other = { root: file(stranger.certPem) };
    await assert.rejects(
      importTo(dir, sign(csr, stranger), other),
      (error) =>
        error instanceof CaFilesError && /changing roots needs a rotation/.test(error.message),
    );
    const { ca } = await loadPluggedCa(dir, { nowMs });
    assert.deepEqual(ca.root, root.der);
  });
});
