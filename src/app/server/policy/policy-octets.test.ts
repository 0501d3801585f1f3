/** What agents tell of policies takes no more room than there is for it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { news, said, sessionOf, whole } from "../../../../test/support/reported-policies.ts";
import { cluster } from "../../../../test/support/rollout-policies.ts";
import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import { emptyPolicy, type ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { encodedPolicy } from "./encoded-policies.ts";
import { octetsToldOf } from "./policy-claims.ts";
import { PolicyProxies } from "./policy-proxies.ts";
import { UncountedProxies } from "./uncounted-proxies.ts";

const mib = 1_048_576;
const idOf = (name: string): string => `spiffe://mesh.example/ns/shop/sa/${name}`;
const ofWeb = { spiffeId: idOf("web"), agentId: "a" };
const ofNode = { spiffeId: idOf("node"), agentId: "n" };

/** Of about 96 KiB, each another one. */
function large(seed: number): ProxyPolicy {
  const of = cluster(`h${seed}`, "plaintext");
  const endpoints = Array.from({ length: 4_000 }, (_, i) =>
    of.endpoints.map((each) => ({ ...each, address: `10.${seed % 256}.${i >> 8}.${i & 255}` })),
  ).flat();
  return { ...emptyPolicy, clusters: [{ ...of, endpoints }] };
}

const wholly = (policy: ProxyPolicy): Partial<ReportedPolicy> => ({
  applied: encodedPolicy(policy),
});
const refusing = (policy: ProxyPolicy): Partial<ReportedPolicy> => ({
  nack: { ...encodedPolicy(policy), detail: "no", resources: [], isPartial: true },
});

function rig(desired: (key: string) => ProxyPolicy | undefined = () => undefined) {
  const dropped: string[] = [];
  const proxies = new PolicyProxies({
    told: () => {},
    left: () => {},
    refused: () => {},
    dropped: (_, spiffeId) => void dropped.push(spiffeId),
    desired,
    nowMs: () => 0,
  });
  const kept = (): number => [...proxies.all()].reduce((sum, each) => sum + octetsToldOf(each), 0);
  const unknown = (): number =>
    [...proxies.all()].filter(({ applied }) => applied === undefined).length;
  return { proxies, dropped, kept, unknown };
}

describe("policies that an agent has told", () => {
  it("take 384 KiB for each proxy, and one that has told more is not known", () => {
    const { proxies, kept, unknown, dropped } = rig();
    const session = sessionOf(ofWeb.spiffeId);
    proxies.take(session, ofWeb, whole(said("p")));
    for (let i = 0; i < 8; i++) proxies.take(session, ofWeb, news(said("p", refusing(large(i)))));
    assert.ok(kept() > 256 * 1_024 && kept() <= 384 * 1_024, String(kept()));
    assert.deepEqual([unknown(), dropped], [1, [ofWeb.spiffeId]]);
  });

  it("take 4 MiB for an identity, 16 MiB for an agent, and room again when they are not kept", () => {
    const { proxies, kept } = rig();
    const session = sessionOf(ofNode.spiffeId, { has: () => true });
    proxies.take(session, ofNode, whole());
    const tell = (of: string, count: number): void => {
      for (let i = 0; i < count; i++) {
        const more = { spiffeId: idOf(of), ...wholly(large(i)) };
        proxies.take(session, ofNode, news(said(`${of}-${i}`, more)));
      }
    };
    tell("sa0", 60);
    assert.ok(kept() > 3.8 * mib && kept() <= 4 * mib, String(kept()));
    for (let i = 1; i < 6; i++) tell(`sa${i}`, 45);
    assert.ok(kept() > 15.8 * mib && kept() <= 16 * mib, String(kept()));
    for (const proxy of proxies.all()) proxies.forget(proxy.identity.key);
    tell("sa0", 60);
    assert.ok(kept() > 3.8 * mib && kept() <= 4 * mib, String(kept()));
  });

  it("take no room where they are what a proxy is to do", () => {
    const policies = Array.from({ length: 60 }, (_, i) => large(i));
    let isConfigured = true;
    const { proxies, unknown, dropped } = rig((key) =>
      isConfigured ? policies[Number(key.split("-").at(-1))] : undefined,
    );
    const session = sessionOf(ofWeb.spiffeId);
    proxies.take(session, ofWeb, whole());
    const octetsOf = policies.map((each) => encodedPolicy(each));
    isConfigured = false;
    for (const [i, applied] of octetsOf.entries()) {
      // What it is to do is known only once it is.
      if (i === 30) isConfigured = true;
      proxies.take(session, ofWeb, news(said(`p-${i}`, { applied })));
    }
    assert.deepEqual([unknown(), dropped], [0, []]);
  });

  it("take 4 MiB of a stream while their tokens are missing, and are known when those come", () => {
    let isProven = false;
    const { proxies, unknown } = rig();
    const session = sessionOf(ofNode.spiffeId, { has: () => isProven });
    proxies.take(session, ofNode, whole());
    for (let i = 0; i < 60; i++) {
      const more = { spiffeId: idOf(`sa${i}`), ...wholly(large(i)) };
      proxies.take(session, ofNode, news(said(`p-${i}`, more)));
    }
    isProven = true;
    proxies.proven(session);
    assert.ok(unknown() > 10 && unknown() < 25, String(unknown()));
  });

  it("take no more than their own octets, of whatever message they are a part", () => {
    const uncounted = new UncountedProxies();
    for (let i = 0; i < 60; i++) {
      const { digest, octets } = encodedPolicy(large(i % 3));
      const message = new Uint8Array(262_144);
      message.set(octets);
      const applied = { digest, octets: message.subarray(0, octets.length) };
      uncounted.keep(`p-${i % 50}`, { owner: "o", said: said("p", { applied }) });
    }
    const buffers = Array.from(
      uncounted.unproven(),
      ([, { said }]) => said.applied?.octets?.buffer,
    );
    const sizes = buffers.map((each) => each?.byteLength ?? 0);
    const kept = sizes.reduce((sum, each) => sum + each);
    assert.ok(kept > 3.8 * mib && kept <= 4 * mib, String(kept));
    assert.equal(sizes.length, 50);
  });
});
