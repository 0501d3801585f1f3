/** Keys in a real SoftHSM: what they sign, and how a URI finds one of them or says why not. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { inspect } from "node:util";
import { encodePem } from "../../src/core/x509/pem.ts";
import { softwareSigner } from "../../src/core/x509/signer.ts";
import type { Pkcs11ErrorCode } from "../../src/edge/pkcs11/pkcs11-error.ts";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";
import { ecTestKey, rsaTestKey, type TestKey } from "../support/csr.ts";
import { assertPkcs11Error, SoftHsm, softHsmModule, whyNoSoftHsm } from "../support/softhsm.ts";

const skip = whyNoSoftHsm();
/** A shared library, and nothing more. */
const notCryptoki = join(
  import.meta.dirname,
  "../../node_modules/pkcs11js/build/Release/pkcs11.node",
);

const keys: ReadonlyMap<string, TestKey> = new Map([
  ["p256", ecTestKey("P-256")],
  ["p384", ecTestKey("P-384")],
  ["rsa2048", rsaTestKey(2048)],
  ["rsa3072", rsaTestKey(3072)],
]);

describe("a signer on a key in a token", { skip }, () => {
  const hsm = new SoftHsm();
  after(() => hsm[Symbol.dispose]());
  hsm.initToken("ca");
  hsm.initToken("twin");
  hsm.initToken("twin");
  for (const [index, [label, { privateKey }]] of [...keys].entries()) {
    hsm.importKey("ca", { label, id: `a${index}`, privateKey });
  }
  const lone = ecTestKey("P-256");
  hsm.importKey("ca", {
    label: "lone",
    id: "b0",
    privateKey: lone.privateKey,
    withPublicKey: false,
  });
  hsm.importKey("ca", { label: "double", id: "c0", privateKey: ecTestKey("P-256").privateKey });
  hsm.importKey("ca", { label: "double", id: "c1", privateKey: ecTestKey("P-256").privateKey });
  const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey;
  hsm.importKey("ca", { label: "p521", id: "d0", privateKey: p521 });
  const rsa1024 = rsaTestKey(1024).privateKey;
  hsm.importKey("ca", { label: "rsa1024", id: "d1", privateKey: rsa1024 });

  it("signs what Node and OpenSSL verify, however many leading zeros r and s have", () => {
    for (const [label, { spki }] of keys) {
      using signer = openPkcs11Signer(hsm.uri(`token=ca;object=${label}`));
      const publicKey = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
      const { digest } = signer.algorithm;
      for (let count = 0; count < 600; count++) {
        const bytes = Buffer.from(`to be signed ${count}`);
        assert.ok(verify(digest, bytes, publicKey, signer.sign(bytes)), label);
        if (label.startsWith("rsa") && count === 20) break;
      }
      const bytes = Buffer.alloc(70_000, "long");
      const key = hsm.file("key.pem", encodePem(spki, "PUBLIC KEY"));
      const signature = hsm.file("signature", signer.sign(bytes));
      const args = ["dgst", `-${digest}`, "-verify", key, "-signature", signature];
      assert.match(
        execFileSync("openssl", args, { input: bytes, encoding: "utf8" }),
        /Verified OK/,
      );
    }
  });

  it("has the name, the key and the algorithm of a software signer on the same key", () => {
    for (const [label, { privateKey, spki }] of keys) {
      for (const known of [undefined, spki]) {
        using signer = openPkcs11Signer(hsm.uri(`token=ca;object=${label}`), known);
        const { id, publicKey, algorithm } = softwareSigner(privateKey, spki);
        assert.equal(signer.id, id);
        assert.deepEqual(signer.algorithm, algorithm);
        assert.deepEqual(
          { ...signer.publicKey, spki: Buffer.from(signer.publicKey.spki) },
          { ...publicKey, spki: Buffer.from(publicKey.spki) },
        );
      }
    }
  });

  it("is found by each attribute of its URI", () => {
    for (const path of [
      "token=ca;id=%a0",
      "token=ca;object=p256;id=%a0;type=private",
      "token=ca;object=p256;model=SoftHSM%20v2;manufacturer=SoftHSM%20project",
      "token=ca%20%20;object=p256",
    ]) {
      using signer = openPkcs11Signer(hsm.uri(path));
      assert.deepEqual(
        Buffer.from(signer.publicKey.spki),
        Buffer.from(keys.get("p256")?.spki ?? []),
      );
    }
  });

  it("needs no public key in the token where one is given", () => {
    using signer = openPkcs11Signer(hsm.uri("token=ca;object=lone"), lone.spki);
    const key = createPublicKey({ key: Buffer.from(lone.spki), format: "der", type: "spki" });
    assert.ok(verify("sha256", Buffer.from("a"), key, signer.sign(Buffer.from("a"))));
  });

  it("signs nothing once it is closed, and does not log the others out", () => {
    using other = openPkcs11Signer(hsm.uri("token=ca;object=p256"));
    const signer = openPkcs11Signer(hsm.uri("token=ca;object=p256"));
    signer[Symbol.dispose]();
    signer[Symbol.dispose]();
    assertPkcs11Error("pkcs11-unavailable", () => signer.sign(Buffer.from("a")));
    assert.ok(other.sign(Buffer.from("a")).length > 0);
  });

  it("cannot be changed, and shows nothing of how it logs in when it is printed", () => {
    using signer = openPkcs11Signer(hsm.uri("token=ca;object=p256"));
    assert.ok(Object.isFrozen(signer));
    const printed = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer);
    assert.doesNotMatch(printed, /pin|correct-horse/i);
  });

  const refused: readonly (readonly [string, Pkcs11ErrorCode, () => unknown])[] = [
    ["a token that is not there", "pkcs11-token-not-found", () => open("token=other;object=p256")],
    ["a slot that is not the token's", "pkcs11-token-not-found", () => open("token=ca;slot-id=1")],
    ["a slot without a token in it", "pkcs11-token-not-found", () => open("token=%20")],
    ["one of two tokens of a name", "pkcs11-token-ambiguous", () => open("token=twin;object=p256")],
    ["a key that is not there", "pkcs11-key-not-found", () => open("token=ca;object=other")],
    [
      "a key with another's CKA_ID",
      "pkcs11-key-not-found",
      () => open("token=ca;object=p256;id=%a1"),
    ],
    ["one of two keys of a name", "pkcs11-key-ambiguous", () => open("token=ca;object=double")],
    ["one of all keys", "pkcs11-key-ambiguous", () => open("token=ca")],
    ["a key on P-521", "pkcs11-key-unsupported", () => open("token=ca;object=p521")],
    ["an RSA key of 1,024 bits", "pkcs11-key-unsupported", () => open("token=ca;object=rsa1024")],
    [
      "a key without its public key",
      "pkcs11-public-key-missing",
      () => open("token=ca;object=lone"),
    ],
    ["no PIN", "pkcs11-pin-missing", () => openPkcs11Signer(withoutPin("token=ca;object=p256"))],
    ["a PIN file that is not there", "pkcs11-pin-file", () => open("token=ca", "/nonexistent/pin")],
    ["a directory for a PIN file", "pkcs11-pin-file", () => open("token=ca", "/")],
    [
      "a PIN file for everybody",
      "pkcs11-pin-file",
      () => open("token=ca", pinFile("secret", 0o644)),
    ],
    ["an empty PIN", "pkcs11-pin-file", () => open("token=ca", pinFile("\n"))],
    ["two lines of PIN", "pkcs11-pin-file", () => open("token=ca", pinFile("a\nb\n"))],
    ["a PIN that is no text", "pkcs11-pin-file", () => open("token=ca", pinFile("\xff\xfe"))],
    ["a PIN without end", "pkcs11-pin-file", () => open("token=ca", pinFile("1".repeat(10_000)))],
    ["no file", "pkcs11-module-unusable", () => module("/nonexistent/module.so")],
    ["a library that is no module", "pkcs11-module-unusable", () => module(notCryptoki)],
    ["a file that is no library", "pkcs11-module-unusable", () => module(import.meta.filename)],
  ];

  for (const [what, code, open] of refused) {
    it(`is refused for ${what}`, () => {
      assertPkcs11Error(code, open);
    });
  }

  it("is refused for any other public key than the one of the key", () => {
    for (const [label] of keys) {
      for (const { spki } of [...keys.values(), ecTestKey("P-256"), rsaTestKey(2048)]) {
        if (spki === keys.get(label)?.spki) continue;
        const open = (): unknown => openPkcs11Signer(hsm.uri(`token=ca;object=${label}`), spki);
        assertPkcs11Error("pkcs11-key-mismatch", open);
      }
    }
  });

  it("is refused for a wrong PIN, which no error shows", () => {
    const secret = "wrong-horse-8";
    const error = assertPkcs11Error("pkcs11-pin-rejected", () => open("token=ca", pinFile(secret)));
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), new RegExp(secret));
  });

  function open(path: string, pin: string = hsm.pinFile): unknown {
    return openPkcs11Signer(hsm.uri(path, pin));
  }

  function pinFile(content: string, mode = 0o600): string {
    return hsm.file(`pin-${Math.random()}`, Buffer.from(content, "latin1"), mode);
  }

  function withoutPin(path: string): string {
    return `pkcs11:${path}?module-path=${softHsmModule}`;
  }

  function module(path: string): unknown {
    return openPkcs11Signer(`pkcs11:token=ca?module-path=${path}`);
  }
});
