/**
 * Tokens that have only some of the mechanisms. The module reads its configuration once, so each
 * has a process.
 */

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { after, describe, it } from "node:test";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";
import { ecTestKey, rsaTestKey } from "../support/csr.ts";
import { assertPkcs11Error, SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";

describe("a token with raw RSA signatures only", { skip: whyNoSoftHsm() }, () => {
  const hsm = new SoftHsm("CKM_RSA_PKCS");
  after(() => hsm[Symbol.dispose]());
  const { privateKey, spki } = rsaTestKey(2048);
  hsm.initToken("ca");
  hsm.importKey("ca", { label: "rsa", id: "01", privateKey });
  hsm.importKey("ca", { label: "ec", id: "02", privateKey: ecTestKey("P-256").privateKey });

  it("signs with SHA-256 all the same", () => {
    using signer = openPkcs11Signer(hsm.uri("token=ca;object=rsa"));
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    const bytes = Buffer.from("to be signed");
    assert.ok(verify("sha256", bytes, key, signer.sign(bytes)));
  });

  it("is refused for an EC key, before it would sign", () => {
    const open = (): unknown => openPkcs11Signer(hsm.uri("token=ca;object=ec"));
    assertPkcs11Error("pkcs11-key-unsupported", open);
  });
});
