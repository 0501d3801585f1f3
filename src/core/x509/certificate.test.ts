import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { extension, extensions, makeCertificate } from "../../../test/support/certificate.ts";
import type { CertificateParts } from "../../../test/support/certificate.ts";
import {
  bitString,
  boolean,
  commonName,
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
} from "../../../test/support/der.ts";
import { parseCertificate } from "./certificate.ts";
import type { CertificateErrorCode } from "./certificate-error.ts";

const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";

describe("a certificate", () => {
  it("is read without extensions", () => {
    const der = makeCertificate({ subject: commonName("leaf") });
    const certificate = parseCertificate(der);
    assert.equal(certificate.serialHex, "abcdef");
    assert.deepEqual(certificate.serial, fromHex("00abcdef"));
    assert.deepEqual(certificate.issuerDer, commonName("issuer"));
    assert.deepEqual(certificate.subjectDer, commonName("leaf"));
    assert.equal(certificate.notBeforeMs, Date.UTC(2026, 0, 1));
    assert.equal(certificate.notAfterMs, Date.UTC(2026, 0, 2));
    assert.deepEqual(certificate.signature, Uint8Array.of(9, 9, 9));
    assert.equal(certificate.keyUsage, 0);
    assert.equal(certificate.isCa, false);
    assert.equal(certificate.sanCritical, false);
    assert.deepEqual(certificate.extensions, []);
    assert.ok(Object.isFrozen(certificate));
  });

  it("keeps the order, criticality and bytes of its extensions, known or not", () => {
    const list = [
      extension("1.2.3.4", fromHex("ff"), true),
      extension(SUBJECT_KEY_IDENTIFIER, octetString(fromHex("0102"))),
      extension("1.2.3.5", Uint8Array.of()),
    ];
    const certificate = parseCertificate(makeCertificate({ extensions: extensions(...list) }));
    assert.deepEqual(certificate.extensions, [
      { oid: "1.2.3.4", critical: true, value: fromHex("ff") },
      { oid: SUBJECT_KEY_IDENTIFIER, critical: false, value: fromHex("04020102") },
      { oid: "1.2.3.5", critical: false, value: Uint8Array.of() },
    ]);
    assert.deepEqual(certificate.subjectKeyId, fromHex("0102"));
  });

  it("may outlive 2050", () => {
    const validity = sequence(text(0x17, "491231235959Z"), text(0x18, "20500101000000Z"));
    const certificate = parseCertificate(makeCertificate({ validity }));
    assert.equal(certificate.notAfterMs - certificate.notBeforeMs, 1000);
  });

  it("is interpreted by its extensions", () => {
    const certificate = parseCertificate(
      makeCertificate({
        extensions: extensions(
          extension("2.5.29.17", sequence(text(0x86, "spiffe://td/a"), text(0x82, "a")), true),
          extension("2.5.29.15", bitString(Uint8Array.of(0x06), 1), true),
          extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"))),
          extension("2.5.29.19", sequence(boolean(true), integer(3n)), true),
          extension("2.5.29.35", sequence(text(0x80, "abc"))),
        ),
      }),
    );
    assert.deepEqual(certificate.uris, ["spiffe://td/a"]);
    assert.deepEqual(certificate.dnsNames, ["a"]);
    assert.equal(certificate.otherSanCount, 0);
    assert.equal(certificate.sanCritical, true);
    assert.equal(certificate.keyUsage, (1 << 5) | (1 << 6));
    assert.deepEqual(certificate.extendedKeyUsages, ["1.3.6.1.5.5.7.3.1"]);
    assert.equal(certificate.isCa, true);
    assert.equal(certificate.pathLength, 3);
    assert.deepEqual(certificate.authorityKeyId, fromHex("616263"));
  });
});

describe("a certificate is rejected", () => {
  const certificateErrors: readonly (readonly [string, CertificateErrorCode, CertificateParts])[] =
    [
      ["of version 1", "certificate-version-unsupported", { version: Uint8Array.of() }],
      ["of version 2", "certificate-version-unsupported", { version: explicit(0, integer(1n)) }],
      ["of version 4", "certificate-version-unsupported", { version: explicit(0, integer(3n)) }],
      ["of version -1", "certificate-version-unsupported", { version: explicit(0, integer(-2n)) }],
      ["with serial 0", "certificate-serial-invalid", { serial: integer(0n) }],
      ["with a negative serial", "certificate-serial-invalid", { serial: integer(-5n) }],
      ["with a serial of 21 octets", "certificate-serial-invalid", { serial: integer(2n ** 160n) }],
      [
        "with two signature algorithms",
        "certificate-signature-algorithm-mismatch",
        { outerAlgorithm: sequence(oid("1.2.840.10045.4.3.3")) },
      ],
      [
        "with parameters on one side only",
        "certificate-signature-algorithm-mismatch",
        { innerAlgorithm: sequence(oid("1.2.840.10045.4.3.2"), nullValue()) },
      ],
      [
        "that ends before it begins",
        "certificate-validity-inverted",
        { validity: sequence(text(0x17, "260102000000Z"), text(0x17, "260101000000Z")) },
      ],
      ["with an issuer ID", "certificate-unique-id", { uniqueIds: text(0x81, "\0a") }],
      ["with a subject ID", "certificate-unique-id", { uniqueIds: text(0x82, "\0a") }],
      ["with an empty list", "certificate-extensions-invalid", { extensions: extensions() }],
      [
        "with an extension twice",
        "certificate-extension-duplicate",
        { extensions: extensions(extension("1.2.3", nullValue()), extension("1.2.3", sequence())) },
      ],
      [
        "with a criticality of FALSE",
        "certificate-default-encoded",
        {
          extensions: extensions(
            sequence(oid("1.2.3"), boolean(false), octetString(Uint8Array.of())),
          ),
        },
      ],
      [
        "beyond 64 KiB",
        "certificate-too-large",
        { extensions: extensions(extension("1.2.3", new Uint8Array(65_536))) },
      ],
    ];
  for (const [what, code, parts] of certificateErrors) {
    it(what, () => {
      const der = makeCertificate(parts);
      assert.throws(() => parseCertificate(der), { name: "CertificateError", code });
    });
  }

  const derErrors: readonly (readonly [string, string, CertificateParts])[] = [
    ["with a long serial", "der-integer-invalid", { serial: fromHex("02020001") }],
    ["with an empty serial", "der-integer-invalid", { serial: fromHex("0200") }],
    ["with two versions", "der-trailing-bytes", { version: explicit(0, integer(2n), integer(2n)) }],
    [
      "with two parameters of its key's algorithm",
      "der-trailing-bytes",
      {
        spki: sequence(
          sequence(oid("1.2.3"), nullValue(), nullValue()),
          bitString(Uint8Array.of(1)),
        ),
      },
    ],
    ["with an empty RDN", "der-truncated", { issuer: sequence(set()) }],
    [
      "with three dates",
      "der-trailing-bytes",
      {
        validity: sequence(
          text(0x17, "260101000000Z"),
          text(0x17, "260102000000Z"),
          text(0x17, "260102000000Z"),
        ),
      },
    ],
    [
      "with a GeneralizedTime before 2050",
      "der-time-invalid",
      { validity: sequence(text(0x17, "260101000000Z"), text(0x18, "20260102000000Z")) },
    ],
    [
      "with extensions twice",
      "der-trailing-bytes",
      {
        extensions: concat(
          extensions(extension("1.2.3", nullValue())),
          extensions(extension("1.2.4", nullValue())),
        ),
      },
    ],
    [
      "with an extension without a value",
      "der-truncated",
      { extensions: extensions(sequence(oid("1.2.3"))) },
    ],
    ["with a signature of odd bits", "der-bit-string-invalid", { signature: fromHex("030204f0") }],
    [
      "with an element behind its signature",
      "der-trailing-bytes",
      { signature: concat(bitString(Uint8Array.of(1)), nullValue()) },
    ],
    [
      "with an element behind its key",
      "der-trailing-bytes",
      { spki: sequence(sequence(oid("1.2.3")), bitString(Uint8Array.of(1)), nullValue()) },
    ],
    [
      "with two lists of extensions",
      "der-trailing-bytes",
      {
        extensions: explicit(
          3,
          sequence(extension("1.2.3", nullValue())),
          sequence(extension("1.2.4", nullValue())),
        ),
      },
    ],
    [
      "with an element behind an extension's value",
      "der-trailing-bytes",
      {
        extensions: extensions(sequence(oid("1.2.3"), octetString(nullValue()), nullValue())),
      },
    ],
    ["without a signature", "der-truncated", { signature: Uint8Array.of() }],
    ["with an indefinite length", "der-length-indefinite", { subject: fromHex("30800000") }],
  ];
  for (const [what, code, parts] of derErrors) {
    it(what, () => {
      assert.throws(() => parseCertificate(makeCertificate(parts)), { name: "DerError", code });
    });
  }

  it("with any bytes behind it", () => {
    const der = concat(makeCertificate(), Uint8Array.of(0));
    assert.throws(() => parseCertificate(der), { name: "DerError", code: "der-trailing-bytes" });
  });
});
