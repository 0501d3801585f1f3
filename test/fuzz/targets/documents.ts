/** Documents in JSON: SPIFFE bundles, key sets, and the trust state that the server keeps. */

import assert from "node:assert/strict";
import {
  encodeBundleDocument,
  parseBundleDocument,
} from "../../../src/core/spiffe/bundle-document.ts";
import { TrustDomain } from "../../../src/core/spiffe/id.ts";
import { trustBundle } from "../../../src/core/spiffe/trust-bundle.ts";
import {
  activeAuthority,
  bundleOf,
  initialTrustState,
  withJwtAuthority,
} from "../../../src/core/trust/trust-state.ts";
import { encodeTrustState, parseTrustState } from "../../../src/core/trust/trust-state-codec.ts";
import { KeySet } from "../../../src/edge/authn/key-set.ts";
import { boolean, sequence } from "../../support/der.ts";
import { extension, extensions, makeCertificate } from "../../support/certificate.ts";
import { p256Key } from "../keys.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const { spki, publicKey } = p256Key("documents");
const trustDomain = TrustDomain.parse("cluster.local");
const root = makeCertificate({
  spki,
  extensions: extensions(extension("2.5.29.19", sequence(boolean(true)), true)),
});
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "ES256" };

export const bundleDocument: FuzzTarget = {
  name: "bundle-document",
  shape: "text",
  dictionary: [
    '"x509-svid"',
    '"jwt-svid"',
    '"__proto__":',
    '"x5c":[',
    '"kty":"EC"',
    "null",
    "{",
    "[",
  ],
  seeds: () => ({
    whole: encodeBundleDocument(trustBundle(trustDomain, 7n, [root], [{ keyId: "k1", spki }]), 300),
    empty: '{"keys":[]}',
  }),
  check: (input) => {
    const document = valueOrTyped(() => parseBundleDocument(textOf(input)));
    if (document === undefined) return false;
    const { roots, jwtKeys, sequence: number = 0n } = document;
    const bundle = valueOrTyped(() => trustBundle(trustDomain, number, roots, jwtKeys));
    if (bundle === undefined) return true;
    const again = parseBundleDocument(encodeBundleDocument(bundle, 0));
    assert.deepEqual(again, {
      ...document,
      sequence: number,
      refreshHintSeconds: 0,
      roots: bundle.roots,
    });
    return true;
  },
};

export const jwks: FuzzTarget = {
  name: "jwks",
  shape: "text",
  dictionary: [
    '"kid":',
    '"crv":"P-384"',
    '"kty":"RSA"',
    '"n":"',
    '"e":"AQAB"',
    '"d":"',
    "null",
    "{}",
  ],
  seeds: () => ({
    one: JSON.stringify({ keys: [jwk] }),
    two: JSON.stringify({ keys: [jwk, { ...jwk, kid: "k2", alg: undefined, x5t: 1 }] }),
  }),
  check: (input) => {
    const text = textOf(input);
    return valueOrTyped(() => KeySet.parse(text)) !== undefined;
  },
};

export const trustState: FuzzTarget = {
  name: "trust-state",
  shape: "text",
  dictionary: [
    '"active"',
    '"retired"',
    '"store"',
    '"external"',
    '"version":1',
    '"__proto__"',
    "null",
    "[]",
  ],
  seeds: () => {
    const signing = { key: "store", auto: false } as const;
    const authority = { id: "aa01", chain: [root], root, ...signing };
    const first = initialTrustState({ trustDomain, authority, otherRoots: [spki], nowMs: 1 });
    const second = withJwtAuthority(first, { keyId: "k1", state: "active", spki });
    const text = encodeTrustState(first);
    return { first: text, second: encodeTrustState(second), one: text.replace(":2,", ":1,") };
  },
  check: (input) => {
    const state = valueOrTyped(() => parseTrustState(3, textOf(input)));
    if (state === undefined) return false;
    const document = valueOrTyped(() => encodeTrustState(state));
    if (document !== undefined) assert.deepEqual(parseTrustState(3, document), state);
    valueOrTyped(() => activeAuthority(state));
    valueOrTyped(() => bundleOf(state));
    return true;
  },
};
