import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { extension, extensions } from "../../../../test/support/certificate.ts";
import { ecTestKey, rsaTestKey } from "../../../../test/support/csr.ts";
import {
  bitString,
  boolean,
  concat,
  explicit,
  fromHex,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  set,
  text,
  tlv,
} from "../../../../test/support/der.ts";
import {
  assertCovered,
  constraints,
  leafContext,
  lintedTbs,
  names,
  uri,
  usage,
  type Change,
} from "../../../../test/support/lint.ts";
import { readerRules, type ReaderCode } from "./reader.ts";
import { lintLeaf } from "./leaf.ts";

const EC = "1.2.840.10045.2.1";
const RSA = "1.2.840.113549.1.1.1";
const P256 = oid("1.2.840.10045.3.1.7");
const good = lintedTbs();
const point = ecTestKey("P-256").spki.slice(-65);

const key = (algorithm: readonly Uint8Array[], bits: Uint8Array): Change => ({
  spki: sequence(sequence(...algorithm), bitString(bits)),
});
const ecKey = (bits: Uint8Array, parameters = P256): Change => key([oid(EC), parameters], bits);
const rsaKey = (modulus: bigint, exponent = 65_537n, parameters = nullValue()): Change =>
  key([oid(RSA), parameters], sequence(integer(modulus), integer(exponent)));
const name = (...attribute: readonly Uint8Array[]): Change => ({
  issuer: sequence(set(sequence(...attribute))),
});
const algorithm = (parameters: Uint8Array): Change => ({
  innerAlgorithm: sequence(oid("1.2.840.10045.4.3.2"), parameters),
});
const nested = (depth: number): Uint8Array =>
  depth === 0 ? nullValue() : sequence(nested(depth - 1));
const off = (at: number): Uint8Array => point.with(at, (point[at] ?? 0) ^ 1);
const modulus = 1n << 2_047n;

const faults: readonly (readonly [ReaderCode, Change | Uint8Array])[] = [
  ["der-truncated", good.subarray(0, -1)],
  ["der-trailing-bytes", concat(good, Uint8Array.of(0))],
  ["der-unexpected-tag", { subject: set() }],
  ["der-tag-invalid", algorithm(fromHex("1f8100"))],
  ["der-length-indefinite", fromHex("30800000")],
  ["der-length-not-minimal", { subject: fromHex("308100") }],
  ["der-length-too-large", fromHex("30850000000000")],
  ["der-too-deep", algorithm(nested(16))],
  ["der-boolean-invalid", { replaced: { constraints: constraints(sequence(fromHex("010101"))) } }],
  ["der-integer-invalid", { serial: fromHex("02020001") }],
  ["der-bit-string-invalid", { spki: sequence(sequence(oid(EC), P256), fromHex("03020801")) }],
  ["der-null-invalid", algorithm(fromHex("050100"))],
  ["der-oid-invalid", { innerAlgorithm: sequence(fromHex("06022a80")) }],
  ["der-string-invalid", name(oid("2.5.4.3"), fromHex("0c01ff"))],
  ["der-time-invalid", { validity: sequence(text(0x17, "2611241200Z"), text(0x17, "261124")) }],
  [
    "der-time-invalid",
    { validity: sequence(text(0x18, "20261124120000Z"), text(0x17, "261125120000Z")) },
  ],
  ["certificate-too-large", tlv(0x30, new Uint8Array(65_536))],
  ["certificate-version-unsupported", { version: explicit(0, integer(1n)) }],
  ["certificate-version-unsupported", { version: Uint8Array.of() }],
  ["certificate-serial-invalid", { serial: integer(0n) }],
  ["certificate-serial-invalid", { serial: integer(-1n) }],
  ["certificate-serial-invalid", { serial: integer(1n << 160n) }],
  [
    "certificate-validity-inverted",
    { validity: sequence(text(0x17, "261124120001Z"), text(0x17, "261124120000Z")) },
  ],
  ["certificate-unique-id", { uniqueIds: tlv(0x81, Uint8Array.of(0, 1)) }],
  [
    "certificate-default-encoded",
    { replaced: { constraints: constraints(sequence(boolean(false))) } },
  ],
  ["certificate-extensions-invalid", { extensions: extensions() }],
  ["certificate-extension-duplicate", { added: [usage(0x80, 7)] }],
  ["certificate-san-invalid", { replaced: { names: names([]) } }],
  ["certificate-san-invalid", { replaced: { names: names([uri("")]) } }],
  ["certificate-san-invalid", { replaced: { names: names([uri("spiffe://a/\xe9")]) } }],
  ["certificate-key-usage-invalid", { replaced: { usage: usage(0x80, 0) } }],
  ["certificate-key-usage-invalid", { replaced: { usage: usage(0, 0) } }],
  [
    "certificate-extended-key-usage-invalid",
    { replaced: { purpose: extension("2.5.29.37", sequence()) } },
  ],
  [
    "certificate-basic-constraints-invalid",
    { replaced: { constraints: constraints(sequence(integer(0n))) } },
  ],
  [
    "certificate-key-identifier-invalid",
    { replaced: { ownKey: extension("2.5.29.14", octetString(Uint8Array.of())) } },
  ],
  ["key-type-unsupported", key([oid("1.3.101.112")], new Uint8Array(32))],
  ["key-curve-unsupported", ecKey(point, oid("1.3.132.0.33"))],
  ["key-curve-not-named", ecKey(point, sequence())],
  ["key-point-compressed", ecKey(concat(Uint8Array.of(2), point.subarray(1, 33)))],
  ["key-point-malformed", ecKey(point.subarray(0, -1))],
  ["key-point-not-on-curve", ecKey(off(64))],
  ["key-rsa-parameters-invalid", rsaKey(modulus + 1n, 3n, P256)],
  ["key-rsa-modulus-invalid", rsaKey(modulus)],
  ["key-rsa-too-small", { spki: rsaTestKey(1024).spki }],
  ["key-rsa-too-large", rsaKey((1n << 8_192n) + 1n)],
  ["key-rsa-exponent-invalid", rsaKey(modulus + 1n, 1n)],
];

describe("of the rules that the reader holds", () => {
  for (const [index, [lint, fault]] of faults.entries()) {
    it(`${lint} refuses case ${index + 1}`, () => {
      const tbs = fault instanceof Uint8Array ? fault : lintedTbs(fault);
      const verdict = lintLeaf(tbs, "workload", leafContext);
      assert.ok(verdict.kind === "failed");
      assert.equal(verdict.rule.name, lint);
      assert.ok(verdict.cause instanceof Error);
    });
  }

  it("none is without a case that it refuses", () => {
    assertCovered(
      readerRules,
      faults.map(([lint]) => ({ lint })),
    );
  });
});
