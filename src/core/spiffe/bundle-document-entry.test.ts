/** The entries of a bundle document: what is ignored, and what refuses the whole of it. */

import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { OpensslPki, type PkiKey } from "../../../test/support/openssl-pki.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { JsonObject } from "../identity/json-object.ts";
import {
  BundleDocumentError,
  encodeBundleDocument,
  parseBundleDocument,
  type BundleDocument,
} from "./bundle-document.ts";
import { TrustDomain } from "./id.ts";
import { trustBundle } from "./trust-bundle.ts";

const { roots, sameKindRoot, leaf, weakRoot } = makeCertificates();
const jwtKeys = ["key-0", "key-1"].map((keyId) => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { keyId, spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
});
const bundle = trustBundle(TrustDomain.parse("cluster.local"), 1n, roots, jwtKeys);
const { keys: entries } = JSON.parse(encodeBundleDocument(bundle, 300)) as {
  readonly keys: readonly JsonObject[];
};
const [x509Entry = {}, secondX509Entry = {}, jwtEntry = {}, secondJwtEntry = {}] = entries;

function makeCertificates() {
  using directory = temporaryDirectory();
  const pki = new OpensslPki(directory.path);
  const issuer = pki.root("issuer");
  const root = (key: PkiKey): Uint8Array => pki.root(key, { key }).der;
  const extensions = { basicConstraints: "critical,CA:FALSE", keyUsage: "digitalSignature" };
  return {
    roots: [root("P-256"), root("P-384")],
    sameKindRoot: issuer.der,
    leaf: pki.under(issuer, "leaf", { extensions }).der,
    weakRoot: root("rsa1024"),
  };
}

function parse(keys: readonly unknown[]): BundleDocument {
  return parseBundleDocument(JSON.stringify({ keys }));
}

/** One bad entry takes the document down, wherever it stands. */
function assertRefused(entry: unknown): void {
  for (const keys of [[entry], [entry, x509Entry, jwtEntry], [x509Entry, jwtEntry, entry]]) {
    assert.throws(
      () => parse(keys),
      (error) => {
        assert.ok(error instanceof BundleDocumentError, inspect(error));
        assert.equal(error.code, "bundle-document-entry", error.message);
        return true;
      },
    );
  }
}

function assertIgnored(entry: JsonObject): void {
  const { roots, jwtKeys } = parse([entry, x509Entry]);
  assert.deepEqual({ roots, jwtKeys }, { roots: [bundle.roots[0]], jwtKeys: [] });
}

describe("an entry of a bundle document", () => {
  for (const jwk of [null, 1, "x", [], [x509Entry]]) {
    it(`is refused with the key ${inspect(jwk, { depth: 0 })}`, () => {
      assertRefused(jwk);
    });
  }

  for (const kty of ["OKP", "oct", "ec", "rsa", "", "AKP", null, 1, ["EC"], undefined]) {
    it(`TB-5: ignores a key of type ${inspect(kty)}`, () => {
      assertIgnored({ ...x509Entry, kty });
      assertIgnored({ ...jwtEntry, kty });
    });
  }

  const uses = ["X509-SVID", "x509-svid ", "JWT-SVID", "wit-svid", "sig", "", null, 1];
  for (const use of [...uses, ["x509-svid"], undefined]) {
    it(`TB-6: ignores a key with the use ${inspect(use)}`, () => {
      assertIgnored({ ...x509Entry, use });
      assertIgnored({ ...jwtEntry, use });
    });
  }
});

describe("the certificates of a bundle document", () => {
  const [x5c] = x509Entry["x5c"] as readonly string[];

  it("X5-15: are not in an entry without x5c, or with an empty one", () => {
    assertIgnored({ ...x509Entry, x5c: undefined });
    assertIgnored({ ...x509Entry, x5c: null });
    assertIgnored({ ...x509Entry, x5c: [] });
  });

  it("X5-15, DV-3: are the first of each entry, whatever the others are", () => {
    for (const second of [x5c, "no base64", null, Buffer.from(leaf).toString("base64")]) {
      assert.deepEqual(parse([{ ...x509Entry, x5c: [x5c, second] }]).roots, [bundle.roots[0]]);
    }
  });

  it("keep the order of the document", () => {
    const { roots } = parse([secondX509Entry, jwtEntry, x509Entry]);
    assert.deepEqual(roots, bundle.roots.toReversed());
  });

  const base64 = x5c ?? "";
  const malformed: readonly (readonly [string, unknown])[] = [
    ["a string", base64],
    ["an object", { 0: base64 }],
    ["a list of nothing", [null]],
    ["a list of lists", [[base64]]],
    ["an empty string", [""]],
    ["base64url", [Buffer.from(base64, "base64").toString("base64url")]],
    ["a line break", [`${base64.slice(0, 64)}\n${base64.slice(64)}`]],
    ["PEM", [new X509Certificate(Buffer.from(base64, "base64")).toString()]],
    ["something behind the certificate", [base64Of(Buffer.from(base64, "base64"), [0])]],
    ["half a certificate", [base64.slice(0, 200)]],
    ["DER of something else", ["MAA="]],
    ["of another key of the same kind", [base64Of(sameKindRoot)]],
    ["of a key of another kind", secondX509Entry["x5c"]],
  ];
  for (const [title, x5c] of malformed) {
    it(`are not ${title}`, () => {
      assertRefused({ ...x509Entry, x5c });
    });
  }

  for (const [title, der] of [
    ["of what is no CA", leaf],
    ["of an RSA key that is too short", weakRoot],
  ] as const) {
    it(`are not ${title}, though the entry has its key`, () => {
      const jwk = new X509Certificate(der).publicKey.export({ format: "jwk" });
      assertRefused({ ...jwk, use: "x509-svid", x5c: [base64Of(der)] });
    });
  }
});

describe("the keys of a bundle document", () => {
  for (const kid of [undefined, null, "", 1, ["key-0"]]) {
    it(`JW-5: are refused with the kid ${inspect(kid)}`, () => {
      assertRefused({ ...jwtEntry, kid });
    });
  }

  it("may be said twice, but no two have one kid", () => {
    assert.deepEqual(parse([jwtEntry, secondJwtEntry, jwtEntry]).jwtKeys, bundle.jwtKeys);
    const other = { ...secondJwtEntry, kid: jwtEntry["kid"] };
    assert.throws(() => parse([jwtEntry, other]), { code: "bundle-document-entry" });
  });

  it("may have a kid that is the name of something inherited", () => {
    const kids = ["__proto__", "constructor", "toString"];
    const { jwtKeys } = parse(kids.map((kid) => ({ ...jwtEntry, kid })));
    assert.deepEqual(
      jwtKeys.map(({ keyId }) => keyId),
      kids,
    );
  });

  it("are refused with a member of a private key, whatever they are for", () => {
    for (const entry of [jwtEntry, x509Entry]) {
      for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) {
        assertRefused({ ...entry, [member]: "aHVzaA" });
      }
    }
  });

  const changes = [{ x: undefined }, { crv: "P-384" }, { kty: "RSA" }, { y: jwtEntry["x"] }];
  for (const change of changes) {
    it(`are refused with ${inspect(change)}`, () => {
      assertRefused({ ...jwtEntry, ...change });
    });
  }
});

function base64Of(der: Uint8Array = Uint8Array.of(), suffix: readonly number[] = []): string {
  return Buffer.from([...der, ...suffix]).toString("base64");
}
