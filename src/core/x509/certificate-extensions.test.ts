import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  bitString,
  boolean,
  commonName,
  concat,
  explicit,
  fromHex,
  integer,
  octetString,
  oid,
  sequence,
  text,
} from "../../../test/support/der.ts";
import {
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseKeyUsage,
  parseSubjectAltName,
  parseSubjectKeyIdentifier,
} from "./certificate-extensions.ts";

describe("subject alternative names", () => {
  it("are given by type, and others counted", () => {
    const value = sequence(
      text(0x86, "spiffe://td/a"),
      text(0x82, "a.example"),
      text(0x81, "a@example"),
      text(0x86, "spiffe://td/b"),
      text(0x87, "\x7f\0\0\x01"),
      text(0x87, `${"\0".repeat(15)}\x01`),
      explicit(4, commonName("directory")),
    );
    assert.deepEqual(parseSubjectAltName(value), {
      uris: ["spiffe://td/a", "spiffe://td/b"],
      dnsNames: ["a.example"],
      ipAddresses: [fromHex("7f000001"), fromHex(`${"00".repeat(15)}01`)],
      otherNameCount: 2,
    });
  });

  for (const [what, ...names] of [
    ["none"],
    ["an empty URI", text(0x86, "")],
    ["a NUL in a URI", text(0x86, "spiffe://td/a\0b")],
    ["a NUL in a DNS name", text(0x82, "good.example\0.bad")],
    ["a space for a DNS name", text(0x82, " ")],
    ["a line break in a URI", text(0x86, "spiffe://td/a\n")],
    ["a letter beyond IA5", text(0x86, "spiffe://td/\xe9")],
    ["an IP address of 5 octets", text(0x87, "12345")],
    ["an IP address with its mask", text(0x87, "12345678")],
    ["a tag that GeneralName has not", text(0x89, "x")],
    ["a constructed URI", explicit(6, text(0x16, "a"))],
    ["a primitive directory name", text(0x84, "a")],
  ] as const) {
    it(`are rejected for ${what}`, () => {
      assert.throws(() => parseSubjectAltName(sequence(...names)), {
        name: "CertificateError",
        code: "certificate-san-invalid",
      });
    });
  }
});

describe("key usage", () => {
  it("has one encoding for each of the 511 masks", () => {
    const invalid = { name: "CertificateError", code: "certificate-key-usage-invalid" };
    for (let usage = 1; usage < 512; usage++) {
      const { octets, unusedBits: minimal } = namedBits(usage);
      for (let unusedBits = 0; unusedBits < 16; unusedBits++) {
        if (unusedBits === minimal)
          assert.equal(parseKeyUsage(bitString(octets, unusedBits)), usage);
        else assert.throws(() => parseKeyUsage(bitString(octets, unusedBits)), invalid);
      }
      const padded = bitString(concat(octets, Uint8Array.of(0)));
      assert.throws(() => parseKeyUsage(padded), invalid);
    }
  });

  for (const [what, value] of [
    ["no octets", bitString(Uint8Array.of())],
    ["no unused bits octet", fromHex("0300")],
    ["no bits", bitString(Uint8Array.of(0), 7)],
    ["a tenth bit", bitString(Uint8Array.of(0x80, 0x40), 6)],
    ["a third octet", bitString(Uint8Array.of(0x80, 0x80, 0x80), 7)],
  ] as const) {
    it(`is rejected with ${what}`, () => {
      assert.throws(() => parseKeyUsage(value), {
        name: "CertificateError",
        code: "certificate-key-usage-invalid",
      });
    });
  }
});

describe("extended key usage", () => {
  it("is given in its order", () => {
    const value = sequence(oid("1.3.6.1.5.5.7.3.2"), oid("1.3.6.1.5.5.7.3.1"));
    assert.deepEqual(parseExtendedKeyUsage(value), ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]);
  });

  it("is rejected when it is empty", () => {
    assert.throws(() => parseExtendedKeyUsage(sequence()), {
      name: "CertificateError",
      code: "certificate-extended-key-usage-invalid",
    });
  });
});

describe("basic constraints", () => {
  for (const [what, value, isCa, pathLength] of [
    ["empty", sequence(), false, undefined],
    ["true", sequence(boolean(true)), true, undefined],
    ["true with a path length of 0", sequence(boolean(true), integer(0n)), true, 0],
    ["true with a path length of 127", sequence(boolean(true), integer(127n)), true, 127],
  ] as const) {
    it(`may be ${what}`, () => {
      assert.deepEqual(parseBasicConstraints(value), { isCa, pathLength });
    });
  }

  it("are rejected with a third value", () => {
    const value = sequence(boolean(true), integer(0n), integer(0n));
    assert.throws(() => parseBasicConstraints(value), { code: "der-trailing-bytes" });
  });

  for (const [what, code, ...values] of [
    ["FALSE spelt out", "certificate-default-encoded", boolean(false)],
    ["a path length and no cA", "certificate-basic-constraints-invalid", integer(0n)],
    ["a length of -1", "certificate-basic-constraints-invalid", boolean(true), integer(-1n)],
    ["a length of 128", "certificate-basic-constraints-invalid", boolean(true), integer(128n)],
  ] as const) {
    it(`are rejected with ${what}`, () => {
      assert.throws(() => parseBasicConstraints(sequence(...values)), {
        name: "CertificateError",
        code,
      });
    });
  }
});

describe("key identifiers", () => {
  const issuer = explicit(1, explicit(4, commonName("x")));
  const serial = text(0x82, "\x01");

  it("name a subject's key", () => {
    assert.deepEqual(parseSubjectKeyIdentifier(octetString(fromHex("0102"))), fromHex("0102"));
  });

  for (const [what, identifier, ...values] of [
    ["by nothing", undefined],
    ["by its identifier", fromHex("616263"), text(0x80, "abc")],
    ["by issuer and serial", undefined, issuer, serial],
    ["by all three", fromHex("616263"), text(0x80, "abc"), issuer, serial],
  ] as const) {
    it(`name an authority's key ${what}`, () => {
      assert.deepEqual(parseAuthorityKeyIdentifier(sequence(...values)), identifier);
    });
  }

  it("are rejected when they are empty", () => {
    const expected = { name: "CertificateError", code: "certificate-key-identifier-invalid" };
    assert.throws(() => parseSubjectKeyIdentifier(octetString(Uint8Array.of())), expected);
    assert.throws(() => parseAuthorityKeyIdentifier(sequence(text(0x80, ""))), expected);
  });

  it("are rejected with a fourth value", () => {
    const value = sequence(text(0x80, "abc"), issuer, serial, serial);
    assert.throws(() => parseAuthorityKeyIdentifier(value), { code: "der-trailing-bytes" });
  });

  it("are rejected with an issuer or a serial alone", () => {
    assert.throws(() => parseAuthorityKeyIdentifier(sequence(issuer)), { name: "DerError" });
    assert.throws(() => parseAuthorityKeyIdentifier(sequence(serial)), { name: "DerError" });
  });
});

describe("bytes behind a value", () => {
  for (const [name, parse, value] of [
    ["subjectAltName", parseSubjectAltName, sequence(text(0x86, "a:b"))],
    ["keyUsage", parseKeyUsage, bitString(Uint8Array.of(0x80), 7)],
    ["extendedKeyUsage", parseExtendedKeyUsage, sequence(oid("1.2.3"))],
    ["basicConstraints", parseBasicConstraints, sequence()],
    ["subjectKeyIdentifier", parseSubjectKeyIdentifier, octetString(Uint8Array.of(1))],
    ["authorityKeyIdentifier", parseAuthorityKeyIdentifier, sequence()],
  ] as const) {
    it(`are rejected in ${name}`, () => {
      parse(value);
      assert.throws(() => parse(concat(value, Uint8Array.of(0))), {
        name: "DerError",
        code: "der-trailing-bytes",
      });
    });
  }
});

/** Nine named bits in as few octets as hold them, and the number of bits that are then unused. */
function namedBits(usage: number): { octets: Uint8Array; unusedBits: number } {
  const bits = Array.from({ length: 9 }, (_, bit) => (usage >> bit) & 1);
  const used = bits.lastIndexOf(1) + 1;
  const octets = [bits.slice(0, 8), bits.slice(8)]
    .map((octet) => octet.reduce((value, bit, at) => value | (bit << (7 - at)), 0))
    .slice(0, Math.ceil(used / 8));
  return { octets: Uint8Array.from(octets), unusedBits: octets.length * 8 - used };
}
