import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { before, describe, it } from "node:test";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import type { CertificateParts } from "../../../test/support/certificate.ts";
import { ecTestKey } from "../../../test/support/csr.ts";
import {
  bitString,
  boolean,
  commonName,
  integer,
  oid,
  sequence,
  text,
} from "../../../test/support/der.ts";
import { reissue, validity, withExtension } from "../../../test/support/reissue.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { OID } from "../x509/oid.ts";
import { ExtendedKeyUsage, servingProfile, workloadProfile } from "../x509/profile.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import { signLeaf, type Authority } from "./authority.ts";
import { checkIssued, type IssuedIntent } from "./check-issued.ts";
import { IssuanceError } from "./issuance-error.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const workloadUri = "spiffe://cluster.local/ns/shop/sa/cart";
const uri = (name: string): Uint8Array => text(0x86, name);
const otherKey = ecTestKey("P-256");
const mallory = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

let test: TestAuthority;
let authority: Authority;
let intent: IssuedIntent;
let good: Certificate;
before(async () => {
  test = await makeAuthority("p256", nowMs);
  ({ authority } = test);
  const validity = { notBeforeMs: nowMs - 120_000, notAfterMs: nowMs + 3_600_000 };
  const serial = Buffer.from("80112233445566778899aabbccddeeff", "hex");
  const names = { uris: [workloadUri] };
  const publicKey = parsePublicKey(ecTestKey("P-256").spki);
  const tbs = authority.encodeWorkload({ serial, publicKey, subjectAltNames: names, ...validity });
  intent = { profile: workloadProfile, tbs, serial, validity, names, spki: publicKey.spki };
  good = parseCertificate(signLeaf(authority, tbs));
});

const honest = (tbs: Uint8Array): Uint8Array => sign("sha256", tbs, test.privateKey);

interface Fault {
  readonly title: string;
  readonly check: string;
  readonly parts?: () => CertificateParts;
  readonly intent?: () => Partial<IssuedIntent>;
  readonly sign?: (tbs: Uint8Array) => Uint8Array;
  /** Replaces the whole certificate that signs. */
  readonly issuer?: () => Partial<Certificate>;
}

const san =
  (...names: readonly Uint8Array[]) =>
  (): CertificateParts =>
    withExtension(good, OID.subjectAltName, sequence(...names), true);
const keyUsage =
  (octet: number, unused: number, critical = true) =>
  (): CertificateParts =>
    withExtension(good, OID.keyUsage, bitString(Uint8Array.of(octet), unused), critical);
const purposes =
  (...oids: readonly string[]) =>
  (): CertificateParts =>
    withExtension(good, OID.extendedKeyUsage, sequence(...oids.map(oid)), false);
const dates = (notBeforeMs: number, notAfterMs: number) => (): CertificateParts => ({
  validity: validity(notBeforeMs, notAfterMs),
});
const authorityKeyId = (value: Uint8Array | undefined) => (): CertificateParts =>
  withExtension(good, OID.authorityKeyIdentifier, value, false);
const algorithm = (dotted: string) => (): CertificateParts => {
  const der = sequence(oid(dotted));
  return { innerAlgorithm: der, outerAlgorithm: der };
};

const faults: readonly Fault[] = [
  {
    title: "another URI",
    check: "exact-names",
    parts: san(uri(`${workloadUri}x`)),
  },
  { title: "a second URI", check: "exact-names", parts: san(uri(workloadUri), uri(workloadUri)) },
  {
    title: "a DNS name beside it",
    check: "exact-names",
    parts: san(uri(workloadUri), text(0x82, "a")),
  },
  {
    title: "an address beside it",
    check: "exact-names",
    parts: san(uri(workloadUri), text(0x87, "\u0001\u0002\u0003\u0004")),
  },
  {
    title: "an e-mail address beside it",
    check: "exact-names",
    parts: san(uri(workloadUri), text(0x81, "a@b")),
  },
  { title: "a DNS name instead of it", check: "exact-names", parts: san(text(0x82, "cart")) },
  {
    title: "no names",
    check: "exact-names",
    parts: () => withExtension(good, OID.subjectAltName, undefined, true),
  },
  {
    title: "a subject",
    check: "san-critical-without-subject",
    parts: () => ({ subject: commonName("cart") }),
  },
  {
    title: "names that are not critical",
    check: "san-critical-without-subject",
    parts: () => withExtension(good, OID.subjectAltName, sequence(uri(workloadUri)), false),
  },
  {
    title: "cA true",
    check: "not-a-ca",
    parts: () => withExtension(good, OID.basicConstraints, sequence(boolean(true)), true),
  },
  { title: "no digitalSignature", check: "leaf-key-usage", parts: keyUsage(0x20, 5) },
  { title: "keyCertSign", check: "leaf-key-usage", parts: keyUsage(0x84, 2) },
  { title: "cRLSign", check: "leaf-key-usage", parts: keyUsage(0x82, 1) },
  {
    title: "a KeyUsage that is not critical",
    check: "leaf-key-usage",
    parts: keyUsage(0x80, 7, false),
  },
  {
    title: "no KeyUsage",
    check: "leaf-key-usage",
    parts: () => withExtension(good, OID.keyUsage, undefined, true),
  },
  {
    title: "no clientAuth",
    check: "extended-key-usage",
    parts: purposes(ExtendedKeyUsage.serverAuth),
  },
  {
    title: "a purpose more",
    check: "extended-key-usage",
    parts: purposes(...workloadProfile.extendedKeyUsages, "1.3.6.1.5.5.7.3.3"),
  },
  {
    title: "no purposes",
    check: "extended-key-usage",
    parts: () => withExtension(good, OID.extendedKeyUsage, undefined, false),
  },
  {
    title: "no serverAuth, as the profile has it",
    check: "extended-key-usage",
    parts: purposes(ExtendedKeyUsage.clientAuth),
    intent: () => ({
      profile: { ...workloadProfile, extendedKeyUsages: [ExtendedKeyUsage.clientAuth] },
    }),
  },
  {
    title: "another key",
    check: "key-of-the-request",
    parts: () => ({ spki: otherKey.spki }),
  },
  {
    title: "an earlier start",
    check: "validity-within-issuer",
    parts: dates(nowMs - 121_000, nowMs + 3_600_000),
  },
  {
    title: "a later end",
    check: "validity-within-issuer",
    parts: dates(nowMs - 120_000, nowMs + 3_601_000),
  },
  {
    title: "no time at all, as it was meant",
    check: "validity-within-issuer",
    parts: dates(nowMs, nowMs),
    intent: () => ({ validity: { notBeforeMs: nowMs, notAfterMs: nowMs } }),
  },
  {
    title: "an end after its issuer's, as it was meant",
    check: "validity-within-issuer",
    issuer: () => ({ notAfterMs: nowMs + 3_599_000 }),
  },
  { title: "another serial", check: "serial", parts: () => ({ serial: integer(0x8011n) }) },
  {
    title: "another issuer's name",
    check: "names-its-issuer",
    parts: () => ({ issuer: commonName("another") }),
  },
  { title: "no authority key", check: "names-its-issuer", parts: authorityKeyId(undefined) },
  {
    title: "an authority key without its identifier",
    check: "names-its-issuer",
    parts: authorityKeyId(sequence()),
  },
  {
    title: "another authority key",
    check: "names-its-issuer",
    parts: authorityKeyId(sequence(text(0x80, "another"))),
  },
  {
    title: "another signer's signature",
    check: "signature-verifies",
    sign: (tbs) => sign("sha256", tbs, mallory),
  },
  {
    title: "a signature over other bytes",
    check: "signature-verifies",
    sign: (tbs) => honest(tbs.subarray(1)),
  },
  {
    title: "a signature that is none",
    check: "signature-verifies",
    sign: () => Uint8Array.of(0x30, 0),
  },
  {
    title: "the identifier of another digest",
    check: "signature-algorithm",
    parts: algorithm(OID.ecdsaSha384),
  },
];

describe("the check before a certificate leaves", () => {
  it("leaves out nothing but the signature itself where that is skipped", () => {
    const { der: forged } = reissue(good, {}, (tbs) => sign("sha256", tbs, mallory));
    assert.equal(checkIssued(forged, intent, authority, "skip").serialHex, good.serialHex);
    assert.throws(
      () => checkIssued(forged, intent, authority),
      (error) => error instanceof IssuanceError && error.message.includes("signature-verifies"),
    );
  });

  it("lets pass what was meant", () => {
    assert.equal(checkIssued(good.der, intent, authority).serialHex, good.serialHex);
    const again = reissue(good, {}, honest);
    assert.equal(Buffer.compare(again.tbs, intent.tbs), 0);
    checkIssued(again.der, intent, authority);
  });

  it("lets a control plane have names, addresses and no right to be a client", () => {
    const names = { dnsNames: ["a", "b"], ipAddresses: [Uint8Array.of(127, 0, 0, 1)] };
    const publicKey = parsePublicKey(otherKey.spki);
    const { serial, validity } = intent;
    const fields = { serial, publicKey, subjectAltNames: names, ...validity };
    const tbs = authority.encodeServing(fields);
    const { spki } = publicKey;
    const serving = { profile: servingProfile, tbs, serial, validity, names, spki };
    checkIssued(signLeaf(authority, tbs), serving, authority);
    const other = { dnsNames: ["b", "a"], ipAddresses: [Uint8Array.of(127, 0, 0, 1)] };
    assertRefused("exact-names", signLeaf(authority, tbs), { ...serving, names: other });
    const moved = { ...names, ipAddresses: [Uint8Array.of(127, 0, 0, 2)] };
    assertRefused("exact-names", signLeaf(authority, tbs), { ...serving, names: moved });
  });

  for (const { title, check, parts, sign = honest, intent: meant, issuer } of faults) {
    // The intent has the same bytes: the writer is at fault, and only the reader can tell.
    it(`refuses ${title} by ${check}`, () => {
      const { der, tbs } = reissue(good, parts?.() ?? {}, sign);
      const certificate = { ...authority.certificate, ...issuer?.() };
      const { notAfterMs } = certificate;
      const by = { ...authority, certificate, notAfterMs };
      assertRefused(check, der, { ...intent, ...meant?.(), tbs }, by);
    });
  }

  it("refuses other bytes than the intent's by tbs-unchanged, right as they may be", () => {
    const moved = withExtension(good, OID.keyUsage, bitString(Uint8Array.of(0x80), 7), true);
    const { der } = reissue(good, moved, honest);
    assertRefused("tbs-unchanged", der, intent);
  });
});

function assertRefused(
  check: string,
  der: Uint8Array,
  meant: IssuedIntent,
  by: Authority = authority,
): void {
  assert.throws(
    () => checkIssued(der, meant, by),
    (error) => {
      assert.ok(error instanceof IssuanceError);
      assert.equal(error.code, "certificate-check-failed");
      const [, name] = /^the signed certificate fails ([a-z-]+) \(/.exec(error.message) ?? [];
      assert.equal(name, check);
      return true;
    },
  );
}
