import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import type { InboundPort, ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ProxyEvidence } from "../../../core/roll/evidence.ts";
import { encodePolicy, policyDigest } from "../../../edge/rpc/policy-messages.ts";
import type { PolicyState } from "../policy/fed-proxy.ts";
import { canaryTargets, isSameTarget, type ProxyTarget } from "./canary-targets.ts";

const present = "ab".repeat(32);
const former = "cd".repeat(32);
const life = Symbol("life");

function stateOf(
  policy: ProxyPolicy | undefined,
  changes: Partial<PolicyState["proxy"]> = {},
): PolicyState {
  const octets = policy && encodePolicy(policy);
  const applied = octets && { digest: policyDigest(octets), octets };
  const own = { proxyId: "p1", spiffeId: undefined, labels: new Map<string, string>() };
  const said = {
    hasListeners: true,
    isUnsure: false,
    nack: undefined,
    draining: new Map<number, number>(),
    oldConnections: "unobserved" as const,
  };
  return { life, proxy: { ...own, ...said, applied, ...changes } };
}

function evidenceOf(rootsDigest: string, streamId = 1n): Map<string, ProxyEvidence> {
  const acked = { atMs: 1, bundleSequence: 1n, rootsDigest };
  const subscriptions = [{ streamId, resourceName: "ROOTCA", acked }];
  return new Map([["p1", { proxyId: "p1", subscriptions }]]);
}

function target(state: PolicyState, evidence = evidenceOf(present)): ProxyTarget | undefined {
  return canaryTargets({ evidence, heldRootsDigest: present }, new Map([["p1", state]])).get("p1");
}

const withInbound = (binds: readonly string[]): ProxyPolicy => {
  const policy = policyOf("strict");
  const [first] = policy.inbound;
  assert.ok(first !== undefined);
  const inbound = binds.map((bind, index): InboundPort => ({ ...first, bind, port: 80 + index }));
  return { ...policy, inbound };
};

describe("what is tried of a proxy", () => {
  it("is each inbound listener of the policy that it has acknowledged, by its own address", () => {
    const binds = ["10.0.0.1", "0.0.0.0", "::", "fd00::1"];
    assert.deepEqual(target(stateOf(withInbound(binds)))?.listeners, [
      { name: "inbound_80", host: "10.0.0.1", port: 80 },
      { name: "inbound_81", host: "127.0.0.1", port: 81 },
      { name: "inbound_82", host: "::1", port: 82 },
      { name: "inbound_83", host: "fd00::1", port: 83 },
    ]);
  });

  it("is nothing where nothing of ours listens, or is in force", () => {
    const policy = policyOf("strict");
    assert.equal(target(stateOf(policy, { hasListeners: false })), undefined);
    assert.equal(target(stateOf(undefined)), undefined);
    assert.equal(target(stateOf({ ...policy, inbound: [] })), undefined);
  });

  it("is nothing before it has acknowledged the bundle that the agent has", () => {
    assert.equal(target(stateOf(policyOf("strict")), evidenceOf(former)), undefined);
  });
});

describe("a proxy is tried again", () => {
  const policy = policyOf("strict");
  const before = target(stateOf(policy));

  it("when its policy, its bundle or its life is another", () => {
    const others = [
      target(stateOf(policyOf("permissive"))),
      target(stateOf(policy), evidenceOf(present, 2n)),
      target({ ...stateOf(policy), life: Symbol("another") }),
    ];
    for (const other of others) assert.equal(isSameTarget(before, other), false);
  });

  it("and not when it only says more of itself", () => {
    const draining = new Map([[80, 1]]);
    assert.ok(isSameTarget(before, target(stateOf(policy, { draining }))));
  });
});
