/** What a server tells a proxy to do, as octets: an agent reads it, and the server reads what the agent says that it has. */

import assert from "node:assert/strict";
import { emptyPolicy } from "../../../src/core/policy/proxy-policy.ts";
import { encodePolicy, parsePolicy } from "../../../src/edge/rpc/policy-messages.ts";
import { policyOf } from "../../support/proxy-policies.ts";
import { valueOrTyped, type FuzzTarget } from "../target.ts";

export const policy: FuzzTarget = {
  name: "policy",
  shape: "bytes",
  dictionary: ["127.0.0.1", "::1", "unix:///a", "outbound|80||a.b", "spiffe://td/ns/a/sa/b"],
  seeds: () => {
    const plain = { mode: "SIMPLE", sni: "a.b", subjectAltNames: ["a.b"] } as const;
    const files = { caCertificates: "/ca", clientCertificate: "/c", privateKey: "/k" };
    const to = { port: 80, weight: 1, sends: "plaintext" } as const;
    const inbound = policyOf("strict").inbound.map((each) => ({
      ...each,
      protocol: "auto" as const,
      app: { kind: "unix" as const, path: "/run/app" },
    }));
    const cluster = {
      name: "outbound|80||a.b",
      addresses: "eds",
      isHttp2: true,
      protocol: "http",
      mtls: { sni: "outbound_.80_._.a.b", sans: ["spiffe://td/ns/a/sa/b"] },
      origination: { ...plain, ...files, insecureSkipVerify: true },
      endpoints: [
        { ...to, address: "10.0.0.1" },
        { ...to, address: "10.0.0.2", sends: "mtls" },
        { ...to, address: "unix:///a", sends: "tls" },
      ],
    } as const;
    const bound = { bind: "127.0.0.1", port: 80 };
    const http = { domains: ["a.b", "a.b:80"], cluster: cluster.name };
    return {
      empty: encodePolicy(emptyPolicy),
      strict: encodePolicy(policyOf("strict")),
      whole: encodePolicy({
        inbound,
        outbound: [
          { ...bound, protocol: "http", routes: [http] },
          { ...bound, bind: "::1", protocol: "tcp", routes: [{ ...http, domains: [] }] },
        ],
        clusters: [cluster],
        modes: { other: "disable", ports: new Map([[80, "strict"]]) },
      }),
    };
  },
  check: (input) => {
    const taken = valueOrTyped(() => parsePolicy(input));
    if (taken === undefined) return false;
    assert.deepEqual(parsePolicy(encodePolicy(taken)), taken);
    return true;
  },
};
