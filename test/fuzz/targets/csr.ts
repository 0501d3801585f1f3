/** CSRs, as they come and with the damage signed: whatever is said in one, it proves the key that signed it and no other. */

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import {
  CSR_BYTES_MAX,
  parseCsr,
  verifyCsrSignature,
  type Csr,
} from "../../../src/core/x509/csr.ts";
import { makeCsr, signCsr } from "../../support/csr.ts";
import { commonName, explicit, octetString, oid, sequence, set, text } from "../../support/der.ts";
import { p256Key } from "../keys.ts";
import { valueOrTyped, type FuzzTarget } from "../target.ts";

const key = p256Key("csr");
const san = sequence(text(0x86, "spiffe://cluster.local/ns/default/sa/web"));
const wanted = sequence(sequence(oid("2.5.29.17"), octetString(san)));
const attributes = explicit(0, sequence(oid("1.2.840.113549.1.9.14"), set(wanted)));

export const csr: FuzzTarget = {
  name: "csr",
  shape: "der",
  dictionary: [
    "\u0006\u0007*\u0086H\u00ce=\u0002\u0001",
    "\u0006\u0008*\u0086H\u00ce=\u0003\u0001\u0007",
  ],
  seeds: () => ({
    empty: makeCsr(key),
    whole: makeCsr(key, { subject: commonName("web"), attributes }),
  }),
  check: (input) => {
    const csr = valueOrTyped(() => parseCsr(input));
    if (csr === undefined) return false;
    assert.ok(input.length <= CSR_BYTES_MAX);
    assertProof(csr);
    const signed = parseCsr(signCsr(key, csr.tbs));
    assert.deepEqual(signed.tbs, csr.tbs);
    assert.equal(assertProof(signed), Buffer.compare(signed.publicKey.spki, key.spki) === 0);
    return true;
  },
};

/** OpenSSL loads the key alone, so it is one, and comes to the same verdict. */
function assertProof(csr: Csr): boolean {
  const verdict = valueOrTyped(() => verifyCsrSignature(csr)) ?? false;
  const spki = Buffer.from(csr.publicKey.spki);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  const digest = csr.signatureAlgorithm.split("-")[1];
  assert.equal(verify(digest, csr.tbs, publicKey, csr.signature), verdict);
  return verdict;
}
