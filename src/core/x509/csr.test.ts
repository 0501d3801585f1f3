import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ecTestKey, makeCsr, rsaTestKey } from "../../../test/support/csr.ts";
import type { CsrParts, TestKey } from "../../../test/support/csr.ts";
import {
  bitString,
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
  tlv,
} from "../../../test/support/der.ts";
import { CSR_BYTES_MAX, parseCsr, verifyCsrSignature } from "./csr.ts";
import type { CsrErrorCode } from "./csr.ts";

const keys = { "P-256": ecTestKey("P-256"), "P-384": ecTestKey("P-384"), RSA: rsaTestKey(2048) };
const ec = keys["P-256"];
const rsa = keys.RSA;

describe("a CSR", () => {
  for (const [name, key] of Object.entries(keys)) {
    it(`with a key of type ${name} is read and proves its key`, () => {
      const csr = parseCsr(makeCsr(key));
      assert.deepEqual(csr.publicKey.spki, key.spki);
      assert.ok(verifyCsrSignature(csr));
      assert.ok(Object.isFrozen(csr));
    });
  }

  const algorithms: readonly (readonly [string, TestKey, string, Uint8Array])[] = [
    ["ecdsa-sha256", ec, "sha256", sequence(oid("1.2.840.10045.4.3.2"))],
    ["ecdsa-sha384", ec, "sha384", sequence(oid("1.2.840.10045.4.3.3"))],
    ["ecdsa-sha512", ec, "sha512", sequence(oid("1.2.840.10045.4.3.4"))],
    ["rsa-sha256", rsa, "sha256", sequence(oid("1.2.840.113549.1.1.11"), nullValue())],
    ["rsa-sha384", rsa, "sha384", sequence(oid("1.2.840.113549.1.1.12"), nullValue())],
    ["rsa-sha512", rsa, "sha512", sequence(oid("1.2.840.113549.1.1.13"), nullValue())],
    ["rsa-sha256", rsa, "sha256", sequence(oid("1.2.840.113549.1.1.11"))],
  ];
  for (const [name, key, hash, identifier] of algorithms) {
    it(`signed with ${name} and ${identifier.length} bytes of algorithm is read`, () => {
      const csr = parseCsr(makeCsr(key, { algorithm: identifier, hash }));
      assert.equal(csr.signatureAlgorithm, name);
      assert.ok(verifyCsrSignature(csr));
    });
  }

  it("is signed over exactly the bytes of its CertificationRequestInfo", () => {
    const der = makeCsr(ec, { subject: commonName("x") });
    const { tbs } = parseCsr(der);
    const outerHeaderLength = der[1] === 0x81 ? 3 : 2;
    assert.deepEqual(tbs, der.subarray(outerHeaderLength, outerHeaderLength + tbs.length));
    assert.equal(tbs.buffer, der.buffer);
  });

  it("may ask for anything in its attributes, which nobody reads", () => {
    const san = sequence(
      text(0x86, "spiffe://victim/ns/a/sa/b"),
      text(0x86, "SPIFFE://%00"),
      text(0x82, "a\0b"),
      explicit(0, oid("1.2.3"), explicit(0, text(0x0c, "other"))),
    );
    const wanted = [
      sequence(oid("2.5.29.17"), octetString(san)),
      sequence(oid("2.5.29.17"), octetString(san)),
      sequence(oid("2.5.29.19"), octetString(sequence(tlv(1, Uint8Array.of(0xff))))),
      sequence(oid("2.5.29.15"), octetString(fromHex("03020204"))),
      sequence(oid("2.5.29.37"), octetString(sequence())),
    ];
    const extensionRequest = sequence(oid("1.2.840.113549.1.9.14"), set(sequence(...wanted)));
    const csr = parseCsr(makeCsr(ec, { attributes: explicit(0, extensionRequest) }));
    assert.deepEqual(Object.keys(csr).toSorted(), [
      "publicKey",
      "signature",
      "signatureAlgorithm",
      "tbs",
    ]);
    assert.ok(verifyCsrSignature(csr));
  });
});

describe("a CSR is rejected", () => {
  const csrErrors: readonly (readonly [string, CsrErrorCode, TestKey, CsrParts])[] = [
    ["of version 1", "csr-version-unsupported", ec, { version: integer(1n) }],
    ["of version -1", "csr-version-unsupported", ec, { version: integer(-1n) }],
    ["of version 128", "csr-version-unsupported", ec, { version: integer(128n) }],
    ["of version 2^64", "csr-version-unsupported", ec, { version: integer(2n ** 64n) }],
    ["without attributes", "csr-attributes-missing", ec, { attributes: Uint8Array.of() }],
    ["with attributes of another tag", "csr-attributes-missing", ec, { attributes: explicit(1) }],
    [
      "with SHA-1 under ECDSA",
      "csr-signature-algorithm-unsupported",
      ec,
      { ...algorithm("1.2.840.10045.4.1"), hash: "sha1" },
    ],
    [
      "with SHA-1 under RSA",
      "csr-signature-algorithm-unsupported",
      rsa,
      { ...algorithm("1.2.840.113549.1.1.5"), hash: "sha1" },
    ],
    [
      "with MD5",
      "csr-signature-algorithm-unsupported",
      rsa,
      { ...algorithm("1.2.840.113549.1.1.4"), hash: "md5" },
    ],
    [
      "with RSASSA-PSS",
      "csr-signature-algorithm-unsupported",
      rsa,
      algorithm("1.2.840.113549.1.1.10"),
    ],
    ["with Ed25519", "csr-signature-algorithm-unsupported", ec, algorithm("1.3.101.112")],
    ["with an unknown algorithm", "csr-signature-algorithm-unsupported", ec, algorithm("1.2.3.4")],
    [
      "with an RSA algorithm and an EC key",
      "csr-signature-algorithm-mismatch",
      ec,
      { algorithm: rsa.algorithm },
    ],
    [
      "with an EC algorithm and an RSA key",
      "csr-signature-algorithm-mismatch",
      rsa,
      { algorithm: ec.algorithm },
    ],
    [
      "with 100 kB of SAN",
      "csr-too-large",
      ec,
      { attributes: attribute(text(0x86, "a".repeat(100_000))) },
    ],
  ];
  for (const [what, code, key, parts] of csrErrors) {
    it(what, () => {
      assert.throws(() => parseCsr(makeCsr(key, parts)), { name: "CsrError", code });
    });
  }

  const derErrors: readonly (readonly [string, string, CsrParts])[] = [
    ["with a long version", "der-integer-invalid", { version: fromHex("02020000") }],
    ["with an empty version", "der-integer-invalid", { version: fromHex("0200") }],
    ["without a version", "der-unexpected-tag", { version: Uint8Array.of() }],
    ["with a subject that is no Name", "der-unexpected-tag", { subject: set() }],
    ["with an empty RDN", "der-truncated", { subject: sequence(set()) }],
    [
      "with a subject attribute of three parts",
      "der-trailing-bytes",
      { subject: sequence(set(sequence(oid("2.5.4.3"), text(0x0c, "a"), nullValue()))) },
    ],
    [
      "with a subject attribute that is no string",
      "der-string-invalid",
      { subject: sequence(set(sequence(oid("2.5.4.3"), octetString(fromHex("61"))))) },
    ],
    [
      "with half a character of two octets in its subject",
      "der-string-invalid",
      { subject: sequence(set(sequence(oid("2.5.4.3"), text(0x1e, "abc")))) },
    ],
    ["with a subject that is not UTF-8", "der-string-invalid", { subject: commonName("\xff") }],
    [
      "with something behind its attributes",
      "der-trailing-bytes",
      { attributes: concat(explicit(0), nullValue()) },
    ],
    [
      "with something behind an attribute's values",
      "der-trailing-bytes",
      { attributes: explicit(0, sequence(oid("1.2.3"), set(nullValue()), nullValue())) },
    ],
    [
      "with an element behind its signature",
      "der-trailing-bytes",
      { signature: concat(bitString(Uint8Array.of(1)), nullValue()) },
    ],
    ["with an attribute without values", "der-truncated", { attributes: attribute() }],
    ["with nesting of 4,000 levels", "der-too-deep", { attributes: attribute(nested(4_000)) }],
    [
      "with an indefinite length in an attribute",
      "der-length-indefinite",
      { attributes: attribute(fromHex("30800000")) },
    ],
    [
      "with a malformed number in an attribute",
      "der-integer-invalid",
      { attributes: attribute(fromHex("0200")) },
    ],
    [
      "with unused bits in its signature",
      "der-bit-string-invalid",
      { signature: fromHex("030204f0") },
    ],
    ["without a signature", "der-truncated", { signature: Uint8Array.of() }],
    [
      "with parameters of its ECDSA algorithm",
      "der-trailing-bytes",
      { algorithm: sequence(oid("1.2.840.10045.4.3.2"), nullValue()) },
    ],
  ];
  for (const [what, code, parts] of derErrors) {
    it(what, () => {
      assert.throws(() => parseCsr(makeCsr(ec, parts)), { name: "DerError", code });
    });
  }

  it("with parameters of its RSA algorithm that are not NULL", () => {
    const parts = { algorithm: sequence(oid("1.2.840.113549.1.1.11"), sequence()) };
    assert.throws(() => parseCsr(makeCsr(rsa, parts)), { code: "der-unexpected-tag" });
  });

  it("with a key that would not be certified", () => {
    const spki = sequence(sequence(oid("1.3.101.112")), bitString(new Uint8Array(32)));
    assert.throws(() => parseCsr(makeCsr(ec, { spki })), {
      name: "PublicKeyError",
      code: "key-type-unsupported",
    });
  });

  it("with any bytes behind it", () => {
    const der = concat(makeCsr(ec), Uint8Array.of(0));
    assert.throws(() => parseCsr(der), { name: "DerError", code: "der-trailing-bytes" });
  });

  it("with an indefinite length at its start", () => {
    const der = concat(Uint8Array.of(0x30, 0x80), makeCsr(ec).subarray(3), Uint8Array.of(0, 0));
    assert.throws(() => parseCsr(der), { name: "DerError", code: "der-length-indefinite" });
  });

  it("beyond 16 KiB and not before", () => {
    const signature = bitString(parseCsr(makeCsr(ec)).signature);
    const sized = (extra: number): Uint8Array =>
      makeCsr(ec, { attributes: attribute(octetString(new Uint8Array(extra))), signature });
    const overhead = sized(10_000).length - 10_000;
    const largest = sized(CSR_BYTES_MAX - overhead);
    assert.equal(largest.length, CSR_BYTES_MAX);
    parseCsr(largest);
    assert.throws(() => parseCsr(sized(CSR_BYTES_MAX - overhead + 1)), {
      name: "CsrError",
      code: "csr-too-large",
    });
  });
});

describe("a signature does not prove the key", () => {
  const info = { subject: commonName("x") };
  const other = ecTestKey("P-256");
  const signed = parseCsr(makeCsr(ec)).signature;

  for (const [what, der] of [
    ["when another key made it", makeCsr(other, { spki: ec.spki })],
    ["when it is over other bytes", makeCsr(ec, { ...info, signature: bitString(signed) })],
    ["when it is empty", makeCsr(ec, { signature: bitString(Uint8Array.of()) })],
    ["when it is no DER", makeCsr(ec, { signature: bitString(Uint8Array.of(1, 2, 3)) })],
    ["when r and s are 0", makeCsr(ec, { signature: bitString(fromHex("3006020100020100")) })],
    [
      "when bytes follow s",
      makeCsr(ec, { signature: bitString(concat(signed, Uint8Array.of(0))) }),
    ],
    ["when it is over another hash", makeCsr(ec, { hash: "sha384" })],
    ["when an RSA signature is short", makeCsr(rsa, { signature: bitString(new Uint8Array(255)) })],
    ["when an RSA signature is zero", makeCsr(rsa, { signature: bitString(new Uint8Array(256)) })],
    [
      "when an RSA signature is not below the modulus",
      makeCsr(rsa, { signature: bitString(new Uint8Array(256).fill(0xff)) }),
    ],
    [
      "when an RSA signature is larger than any key",
      makeCsr(rsa, { signature: bitString(new Uint8Array(4096).fill(0x5a)) }),
    ],
  ] as const) {
    it(what, () => {
      assert.equal(verifyCsrSignature(parseCsr(der)), false);
    });
  }
});

function nested(levels: number): Uint8Array {
  let der = sequence();
  for (let level = 1; level < levels; level++) der = sequence(der);
  return der;
}

function attribute(...values: readonly Uint8Array[]): Uint8Array {
  return explicit(0, sequence(oid("1.2.3"), set(...values)));
}

function algorithm(dotted: string): CsrParts {
  return { algorithm: sequence(oid(dotted)) };
}
