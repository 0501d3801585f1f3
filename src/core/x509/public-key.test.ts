import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, it } from "node:test";

import {
  bitString,
  concat,
  fromHex,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
} from "../../../test/support/der.ts";
import { P256, P384 } from "./curve.ts";
import type { Curve } from "./curve.ts";
import { parsePublicKey } from "./public-key.ts";
import type { PublicKeyErrorCode } from "./public-key.ts";

const EC = "1.2.840.10045.2.1";
const RSA = "1.2.840.113549.1.1.1";
const curves = [
  { name: "P-256", type: "ec-p256", oid: "1.2.840.10045.3.1.7", curve: P256 },
  { name: "P-384", type: "ec-p384", oid: "1.3.132.0.34", curve: P384 },
] as const;

function exported(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ format: "der", type: "spki" }));
}

function ecSpki(curveOid: string, point: Uint8Array): Uint8Array {
  return sequence(sequence(oid(EC), oid(curveOid)), bitString(point));
}

function rsaSpki(modulus: bigint, exponent: bigint, parameters = nullValue()): Uint8Array {
  const key = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(oid(RSA), parameters), bitString(key));
}

/** Odd, of exactly this many bits. */
const modulus = (bits: number): bigint => 2n ** BigInt(bits) - 1n;
const coordinate = (curve: Curve, value: bigint): Uint8Array =>
  fromHex(value.toString(16).padStart(curve.fieldBytes * 2, "0"));

for (const { name, type, oid: curveOid, curve } of curves) {
  describe(`a key on ${name}`, () => {
    const spki = exported(generateKeyPairSync("ec", { namedCurve: name }).publicKey);
    const point = spki.subarray(spki.length - 1 - 2 * curve.fieldBytes);
    const x = point.subarray(1, 1 + curve.fieldBytes);
    const y = point.subarray(1 + curve.fieldBytes);

    it("is read", () => {
      const key = parsePublicKey(spki);
      assert.deepEqual(key, { spki, type, bits: curve.fieldBytes * 8 });
      assert.ok(Object.isFrozen(key));
    });

    it("is accepted on every point that OpenSSL makes", () => {
      for (let run = 0; run < 50; run++) {
        const { publicKey } = generateKeyPairSync("ec", { namedCurve: name });
        assert.equal(parsePublicKey(exported(publicKey)).type, type);
      }
    });

    it("is rejected when any bit of a coordinate changes, as OpenSSL does", () => {
      for (let bit = 8; bit < point.length * 8; bit++) {
        const mutant = Uint8Array.from(point);
        mutant[bit >> 3] = (mutant[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const der = ecSpki(curveOid, mutant);
        assert.throws(() => parsePublicKey(der), { code: "key-point-not-on-curve" });
        if (bit % 32 === 0) {
          assert.throws(() =>
            createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }),
          );
        }
      }
    });

    it("is accepted at x = 0 and rejected at x = p, which is the same point written twice", () => {
      // Both primes are 3 modulo 4, so that this is a root of b where b has one.
      const root = power(curve.b, (curve.p + 1n) / 4n, curve.p);
      const hasRoot = (root * root) % curve.p === curve.b;
      const at = (value: bigint) =>
        ecSpki(
          curveOid,
          concat(Uint8Array.of(4), coordinate(curve, value), coordinate(curve, root)),
        );
      if (hasRoot) assert.equal(parsePublicKey(at(0n)).type, type);
      else assert.throws(() => parsePublicKey(at(0n)), { code: "key-point-not-on-curve" });
      assert.throws(() => parsePublicKey(at(curve.p)), { code: "key-point-not-on-curve" });
    });

    const rejected: readonly (readonly [string, Uint8Array, PublicKeyErrorCode])[] = [
      ["in compressed form with even y", concat(Uint8Array.of(2), x), "key-point-compressed"],
      ["in compressed form with odd y", concat(Uint8Array.of(3), x), "key-point-compressed"],
      ["in hybrid form with even y", concat(Uint8Array.of(6), x, y), "key-point-malformed"],
      ["in hybrid form with odd y", concat(Uint8Array.of(7), x, y), "key-point-malformed"],
      ["at infinity", Uint8Array.of(0), "key-point-malformed"],
      ["without octets", Uint8Array.of(), "key-point-malformed"],
      ["a byte short", point.subarray(0, -1), "key-point-malformed"],
      ["a byte long", concat(point, Uint8Array.of(0)), "key-point-malformed"],
      [
        "at (0, 0)",
        concat(
          Uint8Array.of(4),
          x.map(() => 0),
          y.map(() => 0),
        ),
        "key-point-not-on-curve",
      ],
    ];
    for (const [what, octets, code] of rejected) {
      it(`is rejected with a point ${what}`, () => {
        assert.throws(() => parsePublicKey(ecSpki(curveOid, octets)), {
          name: "PublicKeyError",
          code,
        });
      });
    }

    it("is rejected with the point of the other curve", () => {
      const other = curves.find((candidate) => candidate.oid !== curveOid);
      assert.throws(() => parsePublicKey(ecSpki(other?.oid ?? "", point)), {
        code: "key-point-malformed",
      });
    });
  });
}

describe("an RSA key", () => {
  it("is read as OpenSSL makes it", () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const spki = exported(publicKey);
    assert.deepEqual(parsePublicKey(spki), { spki, type: "rsa", bits: 2048 });
  });

  for (const bits of [2048, 2049, 2055, 2056, 3072, 4096, 8191, 8192]) {
    it(`is accepted with ${bits} bits`, () => {
      assert.equal(parsePublicKey(rsaSpki(modulus(bits), 65537n)).bits, bits);
    });
  }

  for (const exponent of [3n, 5n, 17n, 65537n, 2n ** 32n + 1n, 2n ** 33n - 1n]) {
    it(`is accepted with exponent ${exponent}`, () => {
      assert.equal(parsePublicKey(rsaSpki(modulus(2048), exponent)).type, "rsa");
    });
  }

  const rejected: readonly (readonly [string, Uint8Array, PublicKeyErrorCode])[] = [
    ["of 512 bits", rsaSpki(modulus(512), 65537n), "key-rsa-too-small"],
    ["of 1024 bits", rsaSpki(modulus(1024), 65537n), "key-rsa-too-small"],
    ["of 2047 bits", rsaSpki(modulus(2047), 65537n), "key-rsa-too-small"],
    ["of 8193 bits", rsaSpki(modulus(8193), 65537n), "key-rsa-too-large"],
    ["with an even modulus", rsaSpki(modulus(2048) - 1n, 65537n), "key-rsa-modulus-invalid"],
    ["with modulus zero", rsaSpki(0n, 65537n), "key-rsa-modulus-invalid"],
    ["with a negative modulus", rsaSpki(-modulus(2048), 65537n), "key-rsa-modulus-invalid"],
    ["with exponent 1", rsaSpki(modulus(2048), 1n), "key-rsa-exponent-invalid"],
    ["with exponent 0", rsaSpki(modulus(2048), 0n), "key-rsa-exponent-invalid"],
    ["with exponent -3", rsaSpki(modulus(2048), -3n), "key-rsa-exponent-invalid"],
    ["with an even exponent", rsaSpki(modulus(2048), 65536n), "key-rsa-exponent-invalid"],
    ["with exponent 2^33 + 1", rsaSpki(modulus(2048), 2n ** 33n + 1n), "key-rsa-exponent-invalid"],
    ["with a huge exponent", rsaSpki(modulus(2048), modulus(2048)), "key-rsa-exponent-invalid"],
    [
      "without parameters",
      rsaSpki(modulus(2048), 65537n, Uint8Array.of()),
      "key-rsa-parameters-invalid",
    ],
    [
      "with parameters that are not NULL",
      rsaSpki(modulus(2048), 65537n, sequence()),
      "key-rsa-parameters-invalid",
    ],
  ];
  for (const [what, spki, code] of rejected) {
    it(`is rejected ${what}`, () => {
      assert.throws(() => parsePublicKey(spki), { name: "PublicKeyError", code });
    });
  }
});

describe("other keys are rejected by name", () => {
  const generated: readonly (readonly [string, KeyObject, PublicKeyErrorCode])[] = [
    ["Ed25519", generateKeyPairSync("ed25519").publicKey, "key-type-unsupported"],
    ["Ed448", generateKeyPairSync("ed448").publicKey, "key-type-unsupported"],
    ["X25519", generateKeyPairSync("x25519").publicKey, "key-type-unsupported"],
    ["X448", generateKeyPairSync("x448").publicKey, "key-type-unsupported"],
    ...(["P-224", "P-521", "secp256k1"] as const).map(
      (namedCurve) =>
        [
          namedCurve,
          generateKeyPairSync("ec", { namedCurve }).publicKey,
          "key-curve-unsupported",
        ] as const,
    ),
  ];
  const key = sequence(integer(modulus(2048)), integer(65537n));
  const built: readonly (readonly [string, Uint8Array, PublicKeyErrorCode])[] = [
    [
      "RSASSA-PSS",
      sequence(sequence(oid("1.2.840.113549.1.1.10")), bitString(key)),
      "key-type-unsupported",
    ],
    [
      "DSA",
      sequence(sequence(oid("1.2.840.10040.4.1"), sequence()), bitString(integer(5n))),
      "key-type-unsupported",
    ],
    ["1.2.3.4", sequence(sequence(oid("1.2.3.4")), bitString(key)), "key-type-unsupported"],
  ];
  for (const [name, spki, code] of [
    ...generated.map(([name, publicKey, code]) => [name, exported(publicKey), code] as const),
    ...built,
  ]) {
    it(name, () => {
      assert.throws(() => parsePublicKey(spki), {
        name: "PublicKeyError",
        code,
        message: new RegExp(`got ${name}`),
      });
    });
  }

  it("a curve that is spelt out instead of named", () => {
    const spelt = sequence(sequence(oid(EC), sequence(integer(1n))), bitString(Uint8Array.of(4)));
    assert.throws(() => parsePublicKey(spelt), { code: "key-curve-not-named" });
    const absent = sequence(sequence(oid(EC)), bitString(Uint8Array.of(4)));
    assert.throws(() => parsePublicKey(absent), { code: "key-curve-not-named" });
  });
});

describe("the form of SubjectPublicKeyInfo", () => {
  const good = rsaSpki(modulus(2048), 65537n);
  const algorithm = sequence(oid(RSA), nullValue());
  const key = sequence(integer(modulus(2048)), integer(65537n));

  for (const [what, spki, code] of [
    ["bytes behind it", concat(good, Uint8Array.of(0)), "der-trailing-bytes"],
    ["an element too many", sequence(algorithm, bitString(key), nullValue()), "der-trailing-bytes"],
    [
      "bytes behind the RSA key",
      sequence(algorithm, bitString(concat(key, Uint8Array.of(0)))),
      "der-trailing-bytes",
    ],
    [
      "a number too many in the RSA key",
      sequence(algorithm, bitString(sequence(integer(modulus(2048)), integer(3n), integer(3n)))),
      "der-trailing-bytes",
    ],
    ["unused bits", sequence(algorithm, bitString(key, 1)), "der-bit-string-invalid"],
    [
      "an element behind the EC point",
      sequence(sequence(oid(EC), oid("1.3.132.0.34")), bitString(Uint8Array.of(4)), nullValue()),
      "der-trailing-bytes",
    ],
    [
      "an element behind the curve",
      sequence(sequence(oid(EC), oid("1.3.132.0.34"), nullValue()), bitString(Uint8Array.of(4))),
      "der-trailing-bytes",
    ],
    ["an OCTET STRING", sequence(algorithm, octetString(key)), "der-unexpected-tag"],
    [
      "parameters behind the NULL",
      sequence(sequence(oid(RSA), nullValue(), nullValue()), bitString(key)),
      "der-trailing-bytes",
    ],
    ["nothing", Uint8Array.of(), "der-truncated"],
  ] as const) {
    it(`is rejected with ${what}`, () => {
      assert.throws(() => parsePublicKey(spki), { name: "DerError", code });
    });
  }
});

function power(base: bigint, exponent: bigint, prime: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
}
