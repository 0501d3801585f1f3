import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { ecTestKey, rsaTestKey, type TestKey } from "../../../test/support/csr.ts";
import { PublicKeyError } from "./public-key.ts";
import {
  SignerError,
  softwareSigner,
  subjectKeyIdentifier,
  type SignatureAlgorithm,
} from "./signer.ts";

/** Identifiers as RFC 5758 3.2 and RFC 4055 5 spell them out. */
const table: readonly (readonly [TestKey, SignatureAlgorithm["digest"], string])[] = [
  [ecTestKey("P-256"), "sha256", "300a06082a8648ce3d040302"],
  [ecTestKey("P-384"), "sha384", "300a06082a8648ce3d040303"],
  [rsaTestKey(2048), "sha256", "300d06092a864886f70d01010b0500"],
];

describe("a software signer", () => {
  it("signs with the digest that its identifier names", () => {
    for (const [{ privateKey, spki }, digest, identifier] of table) {
      const signer = softwareSigner(privateKey, spki);
      const bytes = Buffer.from("to be signed");
      const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
      assert.ok(verify(digest, bytes, key, signer.sign(bytes)));
      assert.equal(Buffer.from(signer.algorithm.identifier).toString("hex"), identifier);
      assert.equal(signer.algorithm.digest, digest);
    }
  });

  it("is named by the first 160 bits of the hash of its SubjectPublicKeyInfo", () => {
    for (const [{ privateKey, spki }] of table) {
      const expected = createHash("sha256").update(spki).digest("hex").slice(0, 40);
      assert.equal(softwareSigner(privateKey, spki).id, expected);
      assert.equal(Buffer.from(subjectKeyIdentifier(spki)).toString("hex"), expected);
    }
  });

  it("refuses a key that is too weak to certify with", () => {
    const { privateKey, spki } = rsaTestKey(1024);
    assert.throws(
      () => softwareSigner(privateKey, spki),
      (error) => error instanceof PublicKeyError && error.code === "key-rsa-too-small",
    );
  });

  it("refuses the key of another certificate", () => {
    for (const [{ privateKey }] of table) {
      assert.throws(
        () => softwareSigner(privateKey, ecTestKey("P-256").spki),
        (error) => error instanceof SignerError && error.code === "signer-key-mismatch",
      );
    }
  });

  it("cannot be changed, and shows no private key when it is printed", () => {
    for (const [{ privateKey, spki }] of table) {
      const signer = softwareSigner(privateKey, spki);
      assert.ok(Object.isFrozen(signer));
      const printed = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer);
      assert.doesNotMatch(printed, /private/i);
    }
  });
});
