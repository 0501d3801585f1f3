import assert from "node:assert/strict";
import { it } from "node:test";
import { parsePathTemplate } from "../../core/identity/path-template.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { testConfig } from "../../../test/support/control-plane.ts";
import { issuancePolicy } from "./issuance-policy.ts";

const base = testConfig("/x");
const hex = (config: ServerConfig): string =>
  Buffer.from(issuancePolicy(config).digest).toString("hex");
const oidc = (claim: string, place: string) => ({
  x5c: [],
  oidc: [
    {
      issuer: "https://ci.example",
      jwks: "/keys",
      audiences: ["a"],
      rules: [{ match: [{ claim, allowed: ["x"] }], spiffeId: parsePathTemplate("/ci") }],
      place,
    },
  ],
});

const changes: readonly (readonly [string, Partial<ServerConfig>])[] = [
  ["a longer life", { maxTtlSeconds: base.maxTtlSeconds + 1 }],
  ["another life by default", { defaultTtlSeconds: base.defaultTtlSeconds + 1 }],
  ["another life of JWT-SVIDs", { jwtSvidTtlSeconds: base.jwtSvidTtlSeconds + 1 }],
  ["renewals by certificate", { renewByCertificate: !base.renewByCertificate }],
  ["a node agent", { nodeAgents: [SpiffeId.parse("spiffe://cluster.local/ns/a/sa/b")] }],
  ["another node agent", { nodeAgents: [SpiffeId.parse("spiffe://cluster.local/ns/a/sa/c")] }],
  ["an audience", { audiences: [...base.audiences, "more"] }],
  ["another issuer", { tokenIssuer: "https://other.example" }],
  ["a cluster", { kubernetes: "in-cluster" }],
  ["a rule", { identities: oidc("repo", "one") }],
  ["another rule", { identities: oidc("ref", "one") }],
];

it("has a digest of its own for each change of who may have what", () => {
  const digests = [base, ...changes.map(([, change]) => ({ ...base, ...change }))].map(hex);
  assert.equal(new Set(digests).size, digests.length);
});

it("is the same whatever the file is called, and whatever does not decide who may have what", () => {
  const config = { ...base, identities: oidc("repo", "one") };
  assert.equal(hex({ ...config, identities: oidc("repo", "two") }), hex(config));
  assert.equal(hex({ ...config, logLevel: "debug", servingDnsNames: ["x"] }), hex(config));
});

it("shows lifetimes and counts, and neither issuers nor claims", () => {
  const { detail } = issuancePolicy({ ...base, identities: oidc("repo", "one") });
  assert.match(detail, /"maxTtlSeconds":\d+/);
  assert.match(detail, /"oidc":1/);
  assert.doesNotMatch(detail, /ci\.example|repo/);
});
