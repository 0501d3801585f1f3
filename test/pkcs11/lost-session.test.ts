/** What a signer does when its session, its login or its token goes away under it. */

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { mkdirSync, renameSync, rmdirSync } from "node:fs";
import { after, describe, it } from "node:test";
import type { Handle } from "pkcs11js";
import type { Signer } from "../../src/core/x509/signer.ts";
import { Pkcs11Error, type Pkcs11ErrorCode } from "../../src/edge/pkcs11/pkcs11-error.ts";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";
import { ecTestKey } from "../support/csr.ts";
import { assertPkcs11Error, loadSoftHsm, SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";

/** PKCS#11 3.1: CKF_SERIAL_SESSION and CKF_RW_SESSION; CKU_USER. */
const readWriteSession = 0x06;
const user = 1;

describe("a signer whose token", { skip: whyNoSoftHsm() }, () => {
  const hsm = new SoftHsm();
  after(() => hsm[Symbol.dispose]());
  const key = ecTestKey("P-256");
  hsm.initToken("ca");
  hsm.importKey("ca", { label: "key", id: "01", privateKey: key.privateKey });
  const cryptoki = loadSoftHsm();
  const uri = hsm.uri("token=ca;object=key");

  it("closes all sessions signs in a new one", () => {
    using signer = openPkcs11Signer(uri);
    for (let round = 0; round < 3; round++) {
      cryptoki.C_CloseAllSessions(slotOfToken());
      assertSigns(signer);
      assertSigns(signer);
    }
  });

  it("logs the process out logs in again", () => {
    using signer = openPkcs11Signer(uri);
    const session = cryptoki.C_OpenSession(slotOfToken(), readWriteSession);
    cryptoki.C_Logout(session);
    assertSigns(signer);
    cryptoki.C_CloseSession(session);
  });

  it("is finalised by somebody else initialises it again", () => {
    using signer = openPkcs11Signer(uri);
    cryptoki.C_Finalize();
    assertSigns(signer);
  });

  it("is pulled out signs nothing, and signs again when it is back", () => {
    using signer = openPkcs11Signer(uri);
    renameSync(hsm.tokenDirectory, `${hsm.tokenDirectory}-away`);
    mkdirSync(hsm.tokenDirectory);
    cryptoki.C_Finalize();
    for (let round = 0; round < 3; round++) assertUnavailable(signer, "pkcs11-token-not-found");
    rmdirSync(hsm.tokenDirectory);
    renameSync(`${hsm.tokenDirectory}-away`, hsm.tokenDirectory);
    cryptoki.C_Finalize();
    assertSigns(signer);
  });

  it("has another key in the place of its own signs nothing with that", () => {
    using signer = openPkcs11Signer(uri);
    const session = cryptoki.C_OpenSession(slotOfToken(), readWriteSession);
    for (const object of findAll(session)) cryptoki.C_DestroyObject(session, object);
    hsm.importKey("ca", { label: "key", id: "01", privateKey: ecTestKey("P-256").privateKey });
    cryptoki.C_CloseSession(session);
    assertUnavailable(signer, "pkcs11-key-mismatch");
  });

  it("has a new PIN tries the old one once, and signs nothing any more", () => {
    using signer = openPkcs11Signer(uri);
    setPin(hsm.pin, "another-horse-9");
    cryptoki.C_CloseAllSessions(slotOfToken());
    assertUnavailable(signer, "pkcs11-pin-rejected");
    setPin("another-horse-9", hsm.pin);
    cryptoki.C_CloseAllSessions(slotOfToken());
    assertUnavailable(signer, "pkcs11-pin-rejected");
    using anew = openPkcs11Signer(uri);
    assert.ok(anew.sign(Buffer.from("a")).length > 0);
  });

  function slotOfToken(): Handle {
    const [slot] = cryptoki.C_GetSlotList(true);
    return slot ?? assert.fail("SoftHSM has no slot");
  }

  function findAll(session: Handle): Handle[] {
    cryptoki.C_FindObjectsInit(session, []);
    const objects = cryptoki.C_FindObjects(session, 100);
    cryptoki.C_FindObjectsFinal(session);
    return objects;
  }

  function setPin(from: string, to: string): void {
    cryptoki.C_CloseAllSessions(slotOfToken());
    const session = cryptoki.C_OpenSession(slotOfToken(), readWriteSession);
    cryptoki.C_Login(session, user, from);
    cryptoki.C_SetPIN(session, from, to);
  }

  function assertSigns(signer: Signer): void {
    const bytes = Buffer.from(`to be signed ${performance.now()}`);
    const publicKey = createPublicKey({ key: Buffer.from(key.spki), format: "der", type: "spki" });
    assert.ok(verify("sha256", bytes, publicKey, signer.sign(bytes)));
  }

  function assertUnavailable(signer: Signer, reason: Pkcs11ErrorCode): void {
    const { cause } = assertPkcs11Error("pkcs11-unavailable", () => signer.sign(Buffer.from("a")));
    assert.equal(cause instanceof Pkcs11Error ? cause.code : cause, reason);
  }
});
