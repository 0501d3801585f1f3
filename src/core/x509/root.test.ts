import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { opensslVerify } from "../../../test/support/openssl-verify.ts";
import { parseCertificate } from "./certificate.ts";
import { parsePublicKey } from "./public-key.ts";
import { createRoot, type NewRoot, type RootKeyType } from "./root.ts";
import { subjectKeyIdentifier } from "./signer.ts";

/** The half second tells whether milliseconds are cut off. */
const nowMs = Date.UTC(2026, 10, 24, 12) + 500;
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

function makeRoot(keyType: RootKeyType, serial = "00".repeat(16)): Promise<NewRoot> {
  return createRoot({
    trustDomain: "cluster.local",
    keyType,
    serial: Buffer.from(serial, "hex"),
    nowMs,
  });
}

describe("a new root", () => {
  const keyTypes: readonly (readonly [RootKeyType, string, number])[] = [
    ["p256", "ec-p256", 256],
    ["p384", "ec-p384", 384],
    ["rsa3072", "rsa", 3072],
    ["rsa4096", "rsa", 4096],
  ];
  for (const [keyType, type, bits] of keyTypes) {
    it(`of type ${keyType} is what X509-SVID 3.2 and 4 ask of a CA`, async () => {
      const { certificate: der, privateKeyPkcs8 } = await makeRoot(keyType);
      const root = parseCertificate(der);
      const key = parsePublicKey(root.spki);
      assert.deepEqual([key.type, key.bits], [type, bits]);
      assert.equal(root.isCa, true);
      assert.equal(root.pathLength, undefined);
      assert.equal(root.keyUsage, (1 << 5) | (1 << 6));
      assert.deepEqual(
        root.extensions.map(({ oid, critical }) => [oid, critical]),
        [
          ["2.5.29.19", true],
          ["2.5.29.15", true],
          ["2.5.29.14", false],
        ],
      );
      assert.equal(hex(root.subjectKeyId), hex(subjectKeyIdentifier(root.spki)));
      assert.equal(hex(root.issuerDer), hex(root.subjectDer));
      assert.equal(publicOf(privateKeyPkcs8), hex(root.spki));
      opensslVerify(der, [der], nowMs, ["-check_ss_sig"]);
      const certificate = new X509Certificate(der);
      assert.ok(certificate.ca && certificate.verify(certificate.publicKey));
    });
  }

  it("is valid for ten years from two minutes ago, in whole seconds", async () => {
    const root = parseCertificate((await makeRoot("p256")).certificate);
    assert.equal(root.notBeforeMs, nowMs - 500 - 120_000);
    assert.equal(root.notAfterMs, nowMs - 500 + 3_650 * 86_400_000);
  });

  it("has a key and a subject of its own each time, of this trust domain", async () => {
    const roots = await Promise.all([makeRoot("p256"), makeRoot("p256")]);
    const [a, b] = roots.map(({ certificate }) => new X509Certificate(certificate));
    assert.notEqual(a?.subject, b?.subject);
    const id = hex(parseCertificate(roots[0].certificate).subjectKeyId);
    assert.equal(a?.subject, `O=cluster.local\nCN=Portcullis root ${id.slice(0, 16)}`);
  });

  it("has a positive serial of 16 octets whatever the random octets were", async () => {
    for (const [random, serial] of [
      ["00".repeat(16), `40${"00".repeat(15)}`],
      ["ff".repeat(16), `7f${"ff".repeat(15)}`],
      [`80${"11".repeat(15)}`, `40${"11".repeat(15)}`],
    ] as const) {
      assert.equal(
        parseCertificate((await makeRoot("p256", random)).certificate).serialHex,
        serial,
      );
    }
  });
});

function publicOf(privateKeyPkcs8: Uint8Array): string {
  const key = Buffer.from(privateKeyPkcs8);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  return hex(createPublicKey(privateKey).export({ format: "der", type: "spki" }));
}
