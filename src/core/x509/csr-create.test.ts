import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { describe, it } from "node:test";
import { createCsr } from "./csr-create.ts";
import { parseCsr, verifyCsrSignature } from "./csr.ts";
import { parseSinglePem } from "./pem.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("an agent's CSR", () => {
  it("proves a new P-256 key and says nothing else", async () => {
    const { csrPem, privateKeyPkcs8, spki } = await createCsr();
    const csr = parseCsr(parseSinglePem(csrPem, "CERTIFICATE REQUEST"));
    assert.ok(verifyCsrSignature(csr));
    assert.equal(csr.publicKey.type, "ec-p256");
    assert.equal(hex(csr.publicKey.spki), hex(spki));
    const key = Buffer.from(privateKeyPkcs8);
    const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
    const publicKey = createPublicKey(privateKey);
    assert.equal(hex(publicKey.export({ format: "der", type: "spki" })), hex(spki));
    // Version, an empty subject and no attributes are all that is there beside the key.
    assert.equal(csr.tbs.length - spki.length, 2 + 3 + 2 + 2);
  });

  it("is accepted by OpenSSL", async () => {
    const { csrPem } = await createCsr();
    const { status, stderr } = spawnSync("openssl", ["req", "-verify", "-noout"], {
      input: csrPem,
      encoding: "utf8",
    });
    // Some versions end with 0 when they refuse.
    assert.match(stderr, /verify OK/);
    assert.equal(status, 0);
    assert.ok(csrPem.endsWith("-----END CERTIFICATE REQUEST-----\n"));
  });

  it("has another key each time", async () => {
    const [a, b] = await Promise.all([createCsr(), createCsr()]);
    assert.notEqual(hex(a.spki), hex(b.spki));
  });
});
