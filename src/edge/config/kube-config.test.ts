import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "./config-error.ts";
import { assertAdminAudience } from "./kube-config.ts";
import { resolveServerConfig, settingsFromFlags, type FlagTexts } from "./server-config.ts";

const configOf = (flags: FlagTexts): ReturnType<typeof resolveServerConfig> =>
  resolveServerConfig([settingsFromFlags({ "data-dir": "/data", ...flags })]);

const inCluster = { kubernetes: "in-cluster" } as const;
const tokens = { "token-issuer": "https://issuer", jwks: "/jwks.json" } as const;

describe("the settings of a cluster", () => {
  it("need no keys: the API server publishes its own", () => {
    assert.equal(configOf(inCluster).tokenIssuer, undefined);
  });

  const conflicts: readonly (readonly [FlagTexts, string])[] = [
    [{ ...tokens, "admin-listen": "0.0.0.0:15016" }, "--admin-listen"],
    [{ guard: "warn" }, "--guard"],
    [{ "trust-secret": "portcullis" }, "--trust-secret"],
    [{ "kube-context": "prod" }, "--kube-context"],
    [{ "trusted-node-account": ["istio-system/ztunnel"] }, "--trusted-node-account"],
    [{ ...tokens, "token-check": "review" }, "--token-check"],
    [{ ...tokens, "pod-address": "off" }, "--pod-address"],
    [{ ...tokens, "policy-status": "false" }, "--policy-status"],
    [{ ...inCluster, ...tokens }, "--kubernetes"],
    [{ ...inCluster, "token-issuer": "https://issuer" }, "--kubernetes"],
    [{ ...inCluster, "kube-context": "prod" }, "--kube-context"],
    [{ ...inCluster, audience: ["istio-ca", "portcullis-admin"] }, "--admin-audience"],
    [{ ...inCluster, "admin-audience": "istio-ca" }, "--admin-audience"],
  ];
  for (const [flags, path] of conflicts) {
    it(`are refused with what they mean nothing beside: ${JSON.stringify(flags)}`, () => {
      assert.throws(
        () => configOf(flags),
        (error) =>
          error instanceof ConfigError &&
          error.code === "config-conflict" &&
          error.path === path &&
          error.hint !== undefined,
      );
    });
  }

  it("let no operators in by the token that each pod has", () => {
    const issuers = ["https://issuer", "https://former"];
    assertAdminAudience("portcullis-admin", issuers);
    for (const audience of issuers) {
      assert.throws(() => assertAdminAudience(audience, issuers), {
        code: "config-conflict",
        path: "--admin-audience",
        hint: /each pod/,
      });
    }
  });
});
