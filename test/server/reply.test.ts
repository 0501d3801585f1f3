/** What a caller gets: Istio's layout, the caller's own identity, and nothing that its CSR asked for. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { ecTestKey, makeCsr, rsaTestKey, type TestKey } from "../support/csr.ts";
import { extension } from "../support/certificate.ts";
import { boolean, commonName, explicit, oid, sequence, set, text } from "../support/der.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CODE, csrPem, dialWire, sign, WIRE_CSR, WIRE_KEY } from "./grpc-wire.ts";
import type { WireConnection } from "./grpc-wire.ts";

const CART = "URI:spiffe://cluster.local/ns/shop/sa/cart";
const keys: ReadonlyMap<string, TestKey> = new Map([
  ["P-256", WIRE_KEY],
  ["P-384", ecTestKey("P-384")],
  ["RSA", rsaTestKey(2048)],
]);

/** extensionRequest (RFC 2985 5.4.2) for a CA of another workload and of a host. */
function greedyAttributes(): Uint8Array {
  const altNames = sequence(
    text(0x86, "spiffe://cluster.local/ns/istio-system/sa/istiod"),
    text(0x82, "istiod.istio-system.svc"),
  );
  const wanted = [
    extension("2.5.29.17", altNames, true),
    extension("2.5.29.19", sequence(boolean(true)), true),
  ];
  return explicit(0, sequence(oid("1.2.840.113549.1.9.14"), set(sequence(...wanted))));
}

describe("a certificate", () => {
  let it: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    it = await startControlPlane({ flags: { "default-ttl": "1h", "max-ttl": "24h" } });
    connection = dialWire(it);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await it[Symbol.asyncDispose]();
  });

  for (const [name, key] of keys) {
    test(`comes for a key of ${name} as [leaf, bundle], and OpenSSL and Node accept it`, async () => {
      const { certChain } = await sign(connection, { message: { csr: csrPem(makeCsr(key)) } });
      const [leaf = "", bundle = "", ...more] = certChain;
      assert.equal(more.length, 0);
      assert.ok([leaf, bundle].every((pem) => pem.endsWith("-----END CERTIFICATE-----\n")));
      assert.equal(bundle, it.rootPem);
      const certificate = new X509Certificate(leaf);
      assert.ok(certificate.verify(new X509Certificate(bundle).publicKey));
      assert.equal(certificate.subjectAltName, CART);
      assert.deepEqual(
        Uint8Array.from(certificate.publicKey.export({ format: "der", type: "spki" })),
        key.spki,
      );
      using directory = temporaryDirectory();
      const [leafPath, bundlePath] = ["leaf", "bundle"].map((file) => join(directory.path, file));
      writeFileSync(leafPath ?? "", leaf);
      writeFileSync(bundlePath ?? "", bundle);
      for (const purpose of ["sslserver", "sslclient"]) {
        const args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", bundlePath ?? ""];
        const said = execFileSync("openssl", [...args, leafPath ?? ""], { encoding: "utf8" });
        assert.match(said, /: OK$/m);
      }
    });
  }

  test("says nothing that the CSR wished for", async () => {
    const greedy = { subject: commonName("istiod"), attributes: greedyAttributes() };
    const { certChain } = await sign(connection, {
      message: { csr: csrPem(makeCsr(WIRE_KEY, greedy)) },
    });
    const plain = new X509Certificate((await sign(connection)).certChain[0] ?? "");
    const certificate = new X509Certificate(certChain[0] ?? "");
    assert.equal(certificate.subjectAltName, CART);
    assert.equal(certificate.ca, false);
    assert.equal(certificate.subject, plain.subject);
    assert.deepEqual(
      parseCertificate(certificate.raw).extensions.map(({ oid }) => oid),
      parseCertificate(plain.raw).extensions.map(({ oid }) => oid),
    );
  });

  const lives: readonly (readonly [asked: bigint, seconds: number])[] = [
    [0n, 3_600],
    [-1n, 3_600],
    [-(2n ** 63n), 3_600],
    [1n, 1],
    [7_200n, 7_200],
    [86_400n, 86_400],
  ];
  for (const [validityDuration, seconds] of lives) {
    test(`lives ${seconds} s and two minutes before now when ${validityDuration} s are asked for`, async () => {
      const { certChain, code } = await sign(connection, { message: { validityDuration } });
      assert.equal(code, CODE.ok);
      const { notBeforeMs, notAfterMs } = parseCertificate(
        new X509Certificate(certChain[0] ?? "").raw,
      );
      assert.equal((notAfterMs - notBeforeMs) / 1_000 - 120, seconds);
    });
  }

  test("comes for the label that older OpenSSL writes, too", async () => {
    const csr = WIRE_CSR.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert.equal((await sign(connection, { message: { csr } })).code, CODE.ok);
  });
});

for (const rootKeyType of ["p384", "rsa3072"]) {
  test(`comes from a root of ${rootKeyType} just so`, async () => {
    await using it = await startControlPlane({ flags: { "root-key-type": rootKeyType } });
    await using connection = dialWire(it);
    const { certChain } = await sign(connection);
    const leaf = new X509Certificate(certChain[0] ?? "");
    assert.ok(leaf.verify(new X509Certificate(it.rootPem).publicKey));
  });
}
