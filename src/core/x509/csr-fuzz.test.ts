/**
 * Tens of thousands of damaged CSRs, by a fixed seed. Each is a typed error or a value; and
 * whatever proves its key proves the key that really signed, with OpenSSL and @peculiar/x509 as
 * witnesses.
 */

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { describe, it } from "node:test";

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs the global it sets
import "reflect-metadata";
import { Pkcs10CertificateRequest } from "@peculiar/x509";

import { ecTestKey, makeCsr, rsaTestKey, signCsr } from "../../../test/support/csr.ts";
import type { TestKey } from "../../../test/support/csr.ts";
import {
  commonName,
  explicit,
  octetString,
  oid,
  sequence,
  set,
  text,
} from "../../../test/support/der.ts";
import { mutate, seededRandom } from "../../../test/support/mutate.ts";
import { CsrError, parseCsr, verifyCsrSignature } from "./csr.ts";
import type { Csr } from "./csr.ts";
import { DerError } from "./der-error.ts";
import { PublicKeyError } from "./public-key.ts";

const SEED = 20_261_124;
const san = sequence(text(0x86, "spiffe://cluster.local/ns/default/sa/web"));
const wanted = sequence(sequence(oid("2.5.29.17"), octetString(san)));
const parts = {
  subject: commonName("web"),
  attributes: explicit(0, sequence(oid("1.2.840.113549.1.9.14"), set(wanted))),
};

for (const [name, key, mutants] of [
  ["P-256", ecTestKey("P-256"), 12_000],
  ["P-384", ecTestKey("P-384"), 2_000],
  ["RSA", rsaTestKey(2048), 6_000],
] as const) {
  const original = makeCsr(key, parts);

  describe(`a damaged CSR with a key of type ${name}`, () => {
    it("is a value or a typed error, and proves only what was signed", async () => {
      const random = seededRandom(SEED);
      const proven: Uint8Array[] = [];
      for (let run = 0; run < mutants; run++) {
        const der = mutate(original, random);
        const csr = valueOrTypedError(der);
        if (csr === undefined) continue;
        assertWithin(csr, der);
        if (proves(csr)) proven.push(der);
      }
      for (const der of proven) {
        assert.deepEqual(parseCsr(der).tbs, parseCsr(original).tbs);
        assert.deepEqual(parseCsr(der).publicKey, parseCsr(original).publicKey);
        assert.ok(await new Pkcs10CertificateRequest(der).verify(crypto));
      }
    });

    it("proves no other key when the damage itself is signed", () => {
      const random = seededRandom(SEED + 1);
      const { tbs } = parseCsr(original);
      let accepted = 0;
      for (let run = 0; run < mutants / 4; run++) {
        const csr = valueOrTypedError(signCsr(key, mutate(tbs, random)));
        if (csr === undefined) continue;
        accepted++;
        assert.equal(proves(csr), isKeyOf(csr, key));
      }
      assert.ok(accepted > mutants / 100, `only ${accepted} mutants were accepted`);
    });
  });
}

function valueOrTypedError(der: Uint8Array): Csr | undefined {
  try {
    const csr = parseCsr(der);
    assert.deepEqual(parseCsr(Uint8Array.from(der)), csr);
    return csr;
  } catch (error) {
    const isTyped =
      error instanceof CsrError || error instanceof DerError || error instanceof PublicKeyError;
    if (!isTyped) throw error;
    return undefined;
  }
}

/** OpenSSL loads the key on its own, so it is a key; and it agrees about the signature. */
function proves(csr: Csr): boolean {
  const key = createPublicKey({
    key: Buffer.from(csr.publicKey.spki),
    format: "der",
    type: "spki",
  });
  const hash = csr.signatureAlgorithm.split("-")[1];
  const verdict = verifyCsrSignature(csr);
  assert.equal(verdict, verify(hash, csr.tbs, key, csr.signature));
  return verdict;
}

function isKeyOf(csr: Csr, key: TestKey): boolean {
  return Buffer.compare(csr.publicKey.spki, key.spki) === 0;
}

function assertWithin(csr: Csr, der: Uint8Array): void {
  for (const part of [csr.tbs, csr.publicKey.spki, csr.signature]) {
    assert.equal(part.buffer, der.buffer);
    assert.ok(part.byteOffset >= der.byteOffset);
    assert.ok(part.byteOffset + part.length <= der.byteOffset + der.length);
  }
}
