/** A server on an operator's own CA: it signs under it, takes new intermediates while it runs, and refuses other roots. */

import assert from "node:assert/strict";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fetchBundle, fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import type { FlagTexts } from "../../src/edge/config/server-config.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { openssl, OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CODE, dialWire, sign } from "./grpc-wire.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const root = pki.root("root", { key: "rsa2048" });
const other = pki.root("other root");
const upper = pki.under(root, "upper", { key: "P-384" });
const lower = pki.under(upper, "lower");
const next = pki.under(root, "next", { key: "rsa2048" });

const pem = (...nodes: readonly PkiNode[]): string => nodes.map(({ certPem }) => certPem).join("");

function istio(signing: PkiNode, chain: readonly PkiNode[], roots: readonly PkiNode[]) {
  return {
    "ca-cert.pem": signing.certPem,
    "ca-key.pem": signing.keyPem,
    "cert-chain.pem": pem(...chain),
    "root-cert.pem": pem(...roots),
  };
}

const start = (caDir: string, flags: FlagTexts = {}): Promise<TestControlPlane> =>
  startControlPlane({ flags: { "ca-dir": caDir, ...flags } });

/** @returns the reply's elements */
async function fetchChain(it: TestControlPlane): Promise<readonly string[]> {
  await using connection = dialWire(it);
  const reply = await sign(connection, { authorization: `Bearer ${mint()}` });
  assert.equal(reply.code, CODE.ok, reply.message);
  return reply.certChain;
}

/** By OpenSSL, to the roots of the reply only. */
function assertVerifies(chain: readonly string[]): void {
  const [leaf = "", ...rest] = chain;
  const files = [leaf, rest.slice(0, -1).join(""), rest.at(-1) ?? ""].map((text, index) => {
    const path = join(temporary.path, `verify-${index}.pem`);
    writeFileSync(path, text);
    return path;
  });
  const [leafFile = "", untrusted = "", trusted = ""] = files;
  const between = rest.length > 1 ? ["-untrusted", untrusted] : [];
  const purpose = ["-purpose", "sslclient", "-x509_strict"];
  openssl(["verify", "-CAfile", trusted, ...between, ...purpose, leafFile]);
}

describe("a server on an operator's CA", () => {
  const shapes: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ["an RSA root that signs itself", istio(root, [], [root]), 2],
    ["one intermediate", istio(next, [next, root], [root]), 3],
    ["two intermediates of other key types", istio(lower, [lower, upper], [root]), 4],
    ["several roots", istio(lower, [upper, lower], [other, root]), 4],
    [
      "the files of a TLS secret",
      { "tls.crt": pem(lower, upper), "tls.key": lower.keyPem, "ca.crt": root.certPem },
      4,
    ],
  ];
  for (const [title, files, elements] of shapes) {
    test(`with ${title} signs what OpenSSL verifies, and lays it out as Istio does`, async () => {
      await using it = await start(pki.directory(files));
      const chain = await fetchChain(it);
      assert.equal(chain.length, elements);
      assertVerifies(chain);
      for (const element of chain.slice(0, -1)) {
        assert.equal(element.match(/BEGIN CERTIFICATE/g)?.length, 1);
        assert.ok(element.endsWith("\n"));
      }
      const { authorities } = await fetchStatus(it.controlPlane.endpoints.admin);
      const [x509, jwt] = authorities;
      assert.deepEqual([x509?.kind, x509?.keyLocation], ["x509", "files"]);
      assert.deepEqual([jwt?.kind, jwt?.keyLocation], ["jwt", "store"]);
    });
  }

  test("names it by its own key identifier, whatever that is", async () => {
    const odd = pki.under(root, "odd", {
      extensions: { subjectKeyIdentifier: "0A:0B:0C:0D:0E" },
    });
    await using it = await start(pki.directory(istio(odd, [], [root])));
    const chain = await fetchChain(it);
    assertVerifies(chain);
    const text = openssl(["x509", "-noout", "-ext", "authorityKeyIdentifier"], chain[0]);
    assert.match(text, /0A:0B:0C:0D:0E/);
  });

  test("signs nothing that outlives the first certificate above", async () => {
    const brief = pki.root("brief", { days: 2 });
    const long = pki.under(brief, "long", { days: 300 });
    await using it = await start(pki.directory(istio(long, [], [brief])), { "max-ttl": "200d" });
    await using connection = dialWire(it);
    const message = { validityDuration: 100n * 86_400n };
    const { certChain } = await sign(connection, { authorization: `Bearer ${mint()}`, message });
    const [leaf, , anchor] = certChain.map((each) => new X509Certificate(each));
    assert.equal(leaf?.validTo, anchor?.validTo);
  });

  test("starts again on what it began with, in whatever order its roots stand, and takes other roots besides", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    const run = async (
      files: Readonly<Record<string, string>>,
      sequence: bigint,
    ): Promise<void> => {
      await using it = await start(pki.directory(files), flags);
      const { bundleSequence } = (await fetchStatus(it.controlPlane.endpoints.admin)).server ?? {};
      assert.equal(bundleSequence, sequence);
    };
    await run(istio(lower, [upper], [root, other]), 1n);
    await run(istio(lower, [upper], [other, root]), 1n);
    // Another intermediate under the same root is no change of roots.
    await run(istio(next, [], [other, root]), 1n);
    await run(istio(lower, [upper], [root]), 2n);
    await run(istio(lower, [upper], [root, other]), 3n);
    const files = pki.directory(istio(other, [], [other, root]));
    const error = await start(files, flags).catch((reason: unknown) => reason);
    assert.equal((error as { code?: string }).code, "store-key-missing");
    assert.match((error as { hint?: string }).hint ?? "", /put the old files back/);
    const without = await startControlPlane({ flags }).catch((reason: unknown) => reason);
    assert.equal((without as { code?: string }).code, "store-key-missing");
    assert.match((without as { hint?: string }).hint ?? "", /--ca-dir/);
  });

  test("binds a directory to nothing while its key cannot be used", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    const { "ca-key.pem": _, ...keyless } = istio(lower, [upper], [root]);
    const uri = "pkcs11:token=mesh?module-path=/nowhere.so&pin-source=/nowhere";
    await assert.rejects(start(pki.directory(keyless), { ...flags, "ca-key": uri }));
    await using it = await start(pki.directory(istio(other, [], [other])), flags);
    assertVerifies(await fetchChain(it));
  });

  test("takes the place of a root that the server has made, by a rotation", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    await (await startControlPlane({ flags }))[Symbol.asyncDispose]();
    await using it = await start(pki.directory(istio(root, [], [root])), flags);
    const authorities = () => it.controlPlane.trust.state.authorities;
    assert.deepEqual(
      authorities().map(({ state, key }) => [state, key]),
      [
        ["active", "store"],
        ["prepared", "external"],
      ],
    );
    // Nobody holds anything of the old one: each gate is open as soon as it is asked.
    await eventually(() => authorities().length === 1 && authorities()[0]?.key === "external");
    assertVerifies(await fetchChain(it));
  });

  test("takes an encrypted key by its passphrase, and keeps its own keys encrypted, too", async () => {
    const key = createPrivateKey(next.keyPem);
    const passphrase = "a long sentence that is kept elsewhere";
    const encrypted = key.export({
      format: "pem",
      type: "pkcs8",
      cipher: "aes-256-cbc",
      passphrase,
    });
    const dir = pki.directory({ ...istio(next, [], [root]), "ca-key.pem": encrypted });
    const error = await start(dir).catch((reason: unknown) => reason);
    assert.equal((error as { code?: string }).code, "ca-key-encrypted");
    const file = join(temporary.path, "passphrase");
    writeFileSync(file, `${passphrase}\n`, { mode: 0o600 });
    await using it = await start(dir, { "key-passphrase-file": file });
    assertVerifies(await fetchChain(it));
  });
});

describe("a reload of an operator's CA", () => {
  const files = (signing: PkiNode, chain: readonly PkiNode[], roots: readonly PkiNode[]) =>
    Object.entries(istio(signing, chain, roots));
  const replace = (dir: string, entries: readonly (readonly [string, string])[]): void => {
    for (const [name, contents] of entries) writeFileSync(join(dir, name), contents);
  };

  test("takes a new intermediate, for what is signed from then on and for itself", async () => {
    const dir = pki.directory(istio(lower, [upper], [root]));
    await using it = await start(dir);
    assert.equal((await fetchChain(it)).length, 4);
    assert.equal(await it.controlPlane.reloadTrust(), false);
    replace(dir, files(next, [], [root]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    const chain = await fetchChain(it);
    assert.equal(chain.length, 3);
    assert.equal(chain[1], next.certPem);
    assertVerifies(chain);
  });

  test("that changes no root leaves the copy of the roots alone, and mends it where it differs", async () => {
    const dir = pki.directory(istio(lower, [upper], [root]));
    await using it = await start(dir);
    const copy = join(it.config.dataDir, "root-cert.pem");
    const { ino } = statSync(copy);
    await it.controlPlane.reloadTrust();
    replace(dir, files(next, [], [root]));
    await it.controlPlane.reloadTrust();
    // A file that is written is another one, renamed into place.
    assert.equal(statSync(copy).ino, ino);
    for (const damage of ["", `${it.rootPem}more`, it.rootPem.toLowerCase()]) {
      writeFileSync(copy, damage);
      await it.controlPlane.reloadTrust();
      assert.equal(readFileSync(copy, "utf8"), it.rootPem);
    }
  });

  test("takes another root to trust at once, and one to sign under by a rotation", async () => {
    const dir = pki.directory(istio(lower, [upper], [root]));
    await using it = await start(dir);
    const { admin } = it.controlPlane.endpoints;
    replace(dir, files(lower, [upper], [root, other]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    assert.equal((await fetchBundle(admin)).roots.length, 2);
    replace(dir, files(other, [], [other]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    // New bundle first: the one that is to go signs until everybody has it.
    assert.equal((await fetchChain(it))[1], lower.certPem);
  });

  const refusals: readonly (readonly [string, readonly (readonly [string, string])[], string])[] = [
    ["a key of another certificate", [["ca-key.pem", next.keyPem]], "ca-key-mismatch"],
    ["a broken chain", [["cert-chain.pem", ""]], "ca-chain-broken"],
    ["half a file", [["ca-cert.pem", lower.certPem.slice(0, 200)]], "ca-file-malformed"],
  ];
  for (const [title, changed, code] of refusals) {
    test(`refuses ${title}, and the old one goes on signing`, async () => {
      const dir = pki.directory(istio(lower, [upper], [root]));
      await using it = await start(dir);
      const before = await fetchChain(it);
      replace(dir, changed);
      const error = await it.controlPlane.reloadTrust().catch((reason: unknown) => reason);
      assert.equal((error as { code?: string }).code, code);
      assert.deepEqual((await fetchChain(it)).slice(1), before.slice(1));
    });
  }
});

describe("a server whose CA key is in an HSM", { skip: whyNoSoftHsm() }, () => {
  test("signs with it, alone and in batches, and says where the key is", async () => {
    using hsm = new SoftHsm();
    hsm.initToken("mesh");
    const privateKey = createPrivateKey(lower.keyPem);
    hsm.importKey("mesh", { label: "ca", id: "01", privateKey });
    const { "ca-key.pem": _, ...keyless } = istio(lower, [upper], [root]);
    const flags = { "ca-key": hsm.uri("token=mesh;object=ca") };
    await using it = await start(pki.directory(keyless), flags);
    for (const chain of await Promise.all(Array.from({ length: 20 }, () => fetchChain(it)))) {
      assertVerifies(chain);
    }
    const { authorities } = await fetchStatus(it.controlPlane.endpoints.admin);
    assert.equal(authorities[0]?.keyLocation, "pkcs11");
    assert.ok(!JSON.stringify(it.log.map(({ text }) => text)).includes(hsm.pin));
  });
});
