/** Certificates, with OpenSSL as the second opinion: what ours takes, both read alike. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { encodePem } from "../../../src/core/x509/pem.ts";
import { parseCertificate, type Certificate } from "../../../src/core/x509/certificate.ts";
import { verifyChain } from "../../../src/core/x509/chain.ts";
import { parseCrl } from "../../../src/core/x509/crl.ts";
import { lintCa } from "../../../src/core/x509/lint/ca.ts";
import {
  boolean,
  commonName,
  fromHex,
  integer,
  octetString,
  oid,
  sequence,
  text,
  tlv,
} from "../../support/der.ts";
import { extension, extensions, makeCertificate } from "../../support/certificate.ts";
import { p256Key } from "../keys.ts";
import { valueOrTyped, type FuzzTarget } from "../target.ts";

const { spki } = p256Key("certificate");
const nowMs = Date.UTC(2026, 0, 1, 12);
const uri = (value: string): Uint8Array => text(0x86, value);
const usage = (bits: string): Uint8Array => extension("2.5.29.15", tlv(0x03, fromHex(bits)), true);
const purposes = sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"));

const seeds = (): Record<string, Uint8Array> => ({
  plain: makeCertificate({ spki }),
  leaf: makeCertificate({
    spki,
    extensions: extensions(
      usage("0780"),
      extension("2.5.29.37", purposes),
      extension("2.5.29.19", sequence(), true),
      extension("2.5.29.17", sequence(uri("spiffe://td/ns/a/sa/b")), true),
      extension("2.5.29.35", sequence(tlv(0x80, fromHex("aabbcc")))),
      extension("2.5.29.14", octetString(fromHex("ddeeff"))),
    ),
  }),
  serving: makeCertificate({
    spki,
    subject: commonName("control plane"),
    extensions: extensions(
      extension(
        "2.5.29.17",
        sequence(text(0x82, "a.b"), tlv(0x87, fromHex("7f000001")), text(0x81, "a@b")),
      ),
    ),
  }),
  root: makeCertificate({
    spki,
    issuer: commonName("root"),
    subject: commonName("root"),
    validity: sequence(text(0x17, "260101000000Z"), text(0x18, "20600102000000Z")),
    extensions: extensions(
      usage("020106"),
      extension("2.5.29.19", sequence(boolean(true), integer(1n)), true),
    ),
  }),
});

export const certificate: FuzzTarget = {
  name: "certificate",
  shape: "der",
  dictionary: [
    "\u0006\u0003U\u001d\u0011",
    "\u0006\u0003U\u001d\u001e",
    "spiffe://",
    ", DNS:x",
    "\0",
  ],
  seeds,
  check: (input) => {
    valueOrTyped(() => parseCrl(input));
    // A stranger's chain: itself under itself, and under a root of ours.
    valueOrTyped(() => verifyChain([input], [input], nowMs));
    const ours = valueOrTyped(() => parseCertificate(input));
    if (ours === undefined) return false;
    lintCa(ours.tbs);
    assertAgrees(ours, new X509Certificate(encodePem(input, "CERTIFICATE")));
    return true;
  },
};

function assertAgrees(ours: Certificate, theirs: X509Certificate): void {
  assert.equal(BigInt(`0x${ours.serialHex}`), BigInt(`0x${theirs.serialNumber}`));
  assert.equal(ours.notBeforeMs, theirs.validFromDate.getTime());
  assert.equal(ours.notAfterMs, theirs.validToDate.getTime());
  assert.deepEqual(ours.uris, namesOf("URI:", theirs.subjectAltName));
  assert.deepEqual(ours.dnsNames, namesOf("DNS:", theirs.subjectAltName));
  assert.deepEqual([...ours.der], [...theirs.raw]);
  assert.ok(ours.isCa || !theirs.ca, "what is a leaf for us is no CA for OpenSSL");
}

/** Node writes a name with anything odd in it as a JSON string. */
function namesOf(prefix: string, subjectAltName: string | undefined): unknown[] {
  return (subjectAltName ?? "")
    .split(", ")
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length))
    .map((name): unknown => (name.startsWith('"') ? JSON.parse(name) : name));
}
