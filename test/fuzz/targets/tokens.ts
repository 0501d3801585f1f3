/** Claims that an issuer has signed, whatever they are. The input is the payload; the target signs it with the issuer's key. */

import assert from "node:assert/strict";
import { parsePathTemplate } from "../../../src/core/identity/path-template.ts";
import { TrustDomain } from "../../../src/core/spiffe/id.ts";
import { OidcAuthenticator } from "../../../src/edge/authn/oidc-authenticator.ts";
import { IssuerTokens, TokenAuthenticator } from "../../../src/edge/authn/token-authenticator.ts";
import {
  fixedKeys,
  kubernetesClaims,
  signToken,
  TEST_ISSUER,
  TEST_NOW_MS,
} from "../../support/tokens.ts";
import { p256Key } from "../keys.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const { privateKey, publicKey } = p256Key("tokens");
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "ES256" };
const issuerKey = { keyId: "k1", algorithm: "ES256", privateKey, publicKey, jwk };
const keys = fixedKeys(JSON.stringify({ keys: [jwk] }));
const trustDomain = TrustDomain.parse("cluster.local");
const common = { issuer: TEST_ISSUER, keys, trustDomain, cacheEntriesMax: 1 };
const dictionary = [
  '"__proto__":',
  '"sub":"system:serviceaccount:a:b",',
  '"exp":1e999',
  "null",
  "[]",
  "{}",
  "true",
  "\\u0000",
  "\\ud800",
  ":",
  "/",
  "..",
  '"iat":',
];

/** @param owns whether the identity is the one that the claims, read by JSON.parse, are of */
function signedClaims(
  name: string,
  door: IssuerTokens,
  seeds: FuzzTarget["seeds"],
  owns: (id: string, claims: Readonly<Record<string, unknown>>) => boolean,
): FuzzTarget {
  return {
    name,
    shape: "text",
    dictionary,
    seeds,
    check: (input) => {
      const payload = textOf(input);
      const token = signToken(issuerKey, { payload });
      const caller = valueOrTyped(() => door.authenticate(token, TEST_NOW_MS));
      if (caller === undefined) return false;
      const claims: unknown = JSON.parse(payload);
      assert.ok(
        owns(caller.id.toString(), claims as Record<string, unknown>),
        caller.id.toString(),
      );
      assert.ok(caller.expiresAtMs > TEST_NOW_MS);
      return true;
    },
  };
}

export const kubernetesToken: FuzzTarget = signedClaims(
  "kubernetes-token",
  new TokenAuthenticator(common),
  () => ({ bound: JSON.stringify(kubernetesClaims()) }),
  (id, { sub }) => {
    const [, , namespace = "", name = "", ...rest] = String(sub).split(":");
    return rest.length === 0 && id === `spiffe://cluster.local/ns/${namespace}/sa/${name}`;
  },
);

const rules = [
  {
    match: [{ claim: "repository", allowed: ["acme/shop"] }],
    spiffeId: parsePathTemplate("/ci/{owner}/{job.name}"),
  },
];
const ciClaims = {
  ...kubernetesClaims({ aud: "istio-ca", "kubernetes.io": undefined, sub: "repo:acme/shop" }),
  repository: "acme/shop",
  owner: "acme",
  job: { name: "build" },
};

export const oidcToken: FuzzTarget = signedClaims(
  "oidc-token",
  new OidcAuthenticator({ ...common, audiences: ["istio-ca"], rules }),
  () => ({ ci: JSON.stringify(ciClaims) }),
  (id, { repository, owner, job }) => {
    const { name } = job as { readonly name: string };
    return (
      repository === "acme/shop" && id === `spiffe://cluster.local/ci/${String(owner)}/${name}`
    );
  },
);
