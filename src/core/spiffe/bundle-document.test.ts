import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { OpensslPki } from "../../../test/support/openssl-pki.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { JsonObject } from "../identity/json-object.ts";
import {
  BundleDocumentError,
  encodeBundleDocument,
  encodeJwks,
  parseBundleDocument,
  type BundleDocument,
  type BundleDocumentErrorCode,
} from "./bundle-document.ts";
import { TrustDomain } from "./id.ts";
import { trustBundle, type JwtKey, type TrustBundle } from "./trust-bundle.ts";

const roots = makeRoots();
const jwtKeys = makeJwtKeys();
const bundle = bundleOf(7n, roots, jwtKeys);
const [x509Entry = {}] = entriesOf(bundle, "x509-svid");
const [jwtEntry = {}] = entriesOf(bundle, "jwt-svid");

function makeRoots(): readonly Uint8Array[] {
  using directory = temporaryDirectory();
  const pki = new OpensslPki(directory.path);
  return (["P-256", "P-384", "P-521", "rsa2048"] as const).map((key) => pki.root(key, { key }).der);
}

function makeJwtKeys(): readonly JwtKey[] {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const pairs = ["P-256", "P-384", "P-521"].map((namedCurve) =>
    generateKeyPairSync("ec", { namedCurve }),
  );
  return [...pairs, rsa].map(({ publicKey }, index) => {
    return { keyId: `key-${index}`, spki: spkiOf(publicKey) };
  });
}

function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }));
}

function bundleOf(
  sequence: bigint,
  roots: readonly Uint8Array[],
  keys: readonly JwtKey[],
): TrustBundle {
  return trustBundle(TrustDomain.parse("cluster.local"), sequence, roots, keys);
}

interface Document {
  readonly keys: readonly JsonObject[];
}

function entriesOf(bundle: TrustBundle, use: string): readonly JsonObject[] {
  const { keys } = JSON.parse(encodeBundleDocument(bundle, 300)) as Document;
  return keys.filter((jwk) => jwk["use"] === use);
}

/** @param members as they stand in the text, for what JSON.stringify would not write */
function parse(keys: unknown, members = ""): BundleDocument {
  return parseBundleDocument(`{"keys":${JSON.stringify(keys)}${members}}`);
}

function assertRefused(code: BundleDocumentErrorCode, verdict: () => unknown): void {
  assert.throws(verdict, (error) => {
    assert.ok(error instanceof BundleDocumentError, inspect(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

const SEQUENCE_MAX = 2n ** 64n - 1n;

describe("a bundle as a document", () => {
  it("X5-14: has a JWK for each root, with its certificate, its key and no kid", () => {
    const entries = entriesOf(bundle, "x509-svid");
    assert.equal(entries.length, roots.length);
    for (const [index, entry] of entries.entries()) {
      const root = bundle.roots[index] ?? Uint8Array.of();
      const { publicKey } = new X509Certificate(root);
      const x5c = [Buffer.from(root).toString("base64")];
      assert.deepEqual(entry, { ...publicKey.export({ format: "jwk" }), use: "x509-svid", x5c });
    }
  });

  it("JW-5: has a JWK with a kid for each JWT key", () => {
    const expected = bundle.jwtKeys.map(({ keyId: kid, spki }) => {
      const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
      return { kid, ...key.export({ format: "jwk" }), use: "jwt-svid" };
    });
    assert.deepEqual(entriesOf(bundle, "jwt-svid"), expected);
  });

  it("TB-2, TB-3: says sequence and refresh hint as integers, and nothing besides", () => {
    const text = encodeBundleDocument(bundleOf(SEQUENCE_MAX, roots, []), 300);
    assert.deepEqual(Object.keys(JSON.parse(text)), [
      "keys",
      "spiffe_refresh_hint",
      "spiffe_sequence",
    ]);
    assert.match(text, /"spiffe_refresh_hint":300,"spiffe_sequence":18446744073709551615\}$/);
  });

  it("is the same text for the same bundle, in whatever order it was put together", () => {
    const text = encodeBundleDocument(bundle, 300);
    const order = { minLength: roots.length, maxLength: roots.length };
    fc.assert(
      fc.property(fc.shuffledSubarray([...roots], order), (shuffled) => {
        const keys = jwtKeys.toReversed();
        const other = bundleOf(7n, [...shuffled, ...shuffled], keys);
        assert.equal(encodeBundleDocument(other, 300), text);
      }),
    );
  });

  it("reads back as it was: roots, keys, sequence, hint", () => {
    const sequence = fc.oneof(
      fc.bigInt({ min: 0n, max: SEQUENCE_MAX }),
      fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 53n + 9n }),
    );
    const some = fc.subarray([...roots], { minLength: 1 });
    const keys = fc.subarray([...jwtKeys]);
    fc.assert(
      fc.property(sequence, some, keys, fc.maxSafeNat(), (sequence, some, keys, hint) => {
        const bundle = bundleOf(sequence, some, keys);
        assert.deepEqual(parseBundleDocument(encodeBundleDocument(bundle, hint)), {
          sequence,
          refreshHintSeconds: hint,
          roots: bundle.roots,
          jwtKeys: bundle.jwtKeys,
        });
      }),
    );
  });

  it("has its JWT keys alone as a JWK Set without a word of SPIFFE", () => {
    const { keys } = JSON.parse(encodeJwks(bundle.jwtKeys)) as Document;
    const declared = keys.map((jwk) => Object.assign({ use: "jwt-svid" }, jwk));
    assert.deepEqual(declared, entriesOf(bundle, "jwt-svid"));
    assert.ok(keys.every((jwk) => jwk["use"] === undefined));
    assert.equal(encodeJwks([]), '{"keys":[]}');
  });
});

describe("a bundle document", () => {
  it("TB-1, TB-4: may be a list of keys and nothing else, even an empty one", () => {
    const nothing = { sequence: undefined, refreshHintSeconds: undefined, roots: [], jwtKeys: [] };
    assert.deepEqual(parse([]), nothing);
    assert.deepEqual(parse([x509Entry]).roots, [bundle.roots[0]]);
  });

  it("TB-1: may have members that nobody knows, in itself and in its keys", () => {
    const extra = { alg: "ES256", key_ops: ["verify"], note: { a: 1 }, spiffe_sequence: 1 };
    const document = parse([{ ...x509Entry, ...extra }], ',"note":{"keys":1},"spiffe_sequence":2');
    assert.deepEqual(document.roots, [bundle.roots[0]]);
    assert.equal(document.sequence, 2n);
  });

  it("is frozen", () => {
    const document = parseBundleDocument(encodeBundleDocument(bundle, 300));
    for (const value of [document, document.roots, document.jwtKeys, ...document.jwtKeys]) {
      assert.ok(Object.isFrozen(value));
    }
  });

  for (const text of ["", "keys", "{", "[]", "null", "1", '"{}"', '{"keys":[]}}', "\ufeff{}"]) {
    it(`is not ${JSON.stringify(text)}, and does not repeat it`, () => {
      assertRefused("bundle-document-json", () => parseBundleDocument(text));
    });
  }

  it("shows nothing of a file that was named by mistake", () => {
    assert.throws(
      () => parseBundleDocument("hush-hush"),
      (error) => !inspect(error).split("\n    at ")[0]?.includes("hush"),
    );
  });

  for (const members of ["", '"keys":null', '"keys":{}', '"keys":"[]"', '"Keys":[]']) {
    it(`TB-4, DV-4: is refused as {${members}}`, () => {
      assertRefused("bundle-document-keys", () => parseBundleDocument(`{${members}}`));
    });
  }

  for (const sequence of ["0", "1", "9007199254740993", String(SEQUENCE_MAX)]) {
    it(`TB-2: may have the sequence ${sequence}, which is read exactly`, () => {
      assert.equal(parse([], `,"spiffe_sequence":${sequence}`).sequence, BigInt(sequence));
    });
  }

  const noIntegers = ["-1", "-0", "1.0", "1.5", "1e3", "1e999", '"1"', "null", "true", "[1]", "{}"];
  for (const sequence of [...noIntegers, String(SEQUENCE_MAX + 1n), "9".repeat(400)]) {
    it(`TB-2: is refused with the sequence ${sequence.slice(0, 30)}`, () => {
      const members = `,"spiffe_sequence":${sequence}`;
      assertRefused("bundle-document-sequence", () => parse([], members));
    });
  }

  for (const hint of ["-1", "1.5", "1e999", "9007199254740992", '"300"', "null", "true", "[]"]) {
    it(`TB-3: is refused with the refresh hint ${hint}`, () => {
      const members = `,"spiffe_refresh_hint":${hint}`;
      assertRefused("bundle-document-refresh-hint", () => parse([], members));
    });
  }
});

describe("what is read as a bundle document", () => {
  it("is a value or a BundleDocumentError, whatever the text", () => {
    const good = encodeBundleDocument(bundle, 300);
    const at = fc.nat(good.length - 1);
    const cut = fc.tuple(at, fc.nat(3), fc.string({ maxLength: 3 }));
    const damaged = cut.map(([at, length, text]) => {
      return good.slice(0, at) + text + good.slice(at + length);
    });
    assertTyped(fc.oneof(damaged, fc.json(), fc.string({ unit: "binary" })));
  });

  it("is a value or a BundleDocumentError, whatever the members", () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(...Object.values(x509Entry), ...Object.values(jwtEntry)),
    );
    const names = fc.constantFrom("kty", "use", "kid", "x5c", "crv", "x", "y", "n", "e", "d");
    const entry = fc
      .tuple(fc.constantFrom(x509Entry, jwtEntry), fc.dictionary(names, value, { maxKeys: 2 }))
      .map(([entry, changes]) => ({ ...entry, ...changes }));
    const keys = fc.array(fc.oneof({ weight: 4, arbitrary: entry }, value), { maxLength: 3 });
    assertTyped(
      fc.record({ keys: fc.oneof(keys, value) }).map((document) => JSON.stringify(document)),
    );
  });

  function assertTyped(text: fc.Arbitrary<string>): void {
    fc.assert(
      fc.property(text, (text) => {
        try {
          const { roots, jwtKeys } = parseBundleDocument(text);
          assert.ok(roots.every((root) => new X509Certificate(root).ca));
          assert.ok(jwtKeys.every(({ keyId }) => keyId !== ""));
        } catch (error) {
          assert.ok(error instanceof BundleDocumentError, inspect(error));
        }
      }),
      { numRuns: 500 },
    );
  }
});
