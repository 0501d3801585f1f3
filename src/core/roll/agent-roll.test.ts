import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EvidenceReport, ProxyEvidence, Reporter } from "./evidence.ts";
import { RollError, type RollLimits } from "./roll-limits.ts";
import { Roll } from "./roll.ts";

const limits: RollLimits = {
  proxiesMax: 4,
  proxiesPerIdentityMax: 4,
  proxiesPerReporterMax: 3,
  subscriptionsPerProxyMax: 2,
};
const cart: Reporter = { agentId: "a1", spiffeId: "spiffe://td/ns/shop/sa/cart" };
const pay: Reporter = { agentId: "a1", spiffeId: "spiffe://td/ns/shop/sa/pay" };
const hourMs = 3_600_000;

const proxy = (proxyId: string): ProxyEvidence => ({ proxyId, subscriptions: [] });

const report = (
  proxies: readonly ProxyEvidence[],
  changes: Partial<EvidenceReport> = {},
): EvidenceReport => ({ sequence: 1n, full: false, proxies, gone: [], ...changes });

/** `proxy` for one that is connected, `(proxy)` for one that is away. */
function show(roll: Roll): string {
  return roll
    .entries()
    .map(({ evidence, connected }) => (connected ? evidence.proxyId : `(${evidence.proxyId})`))
    .join(" ");
}

function isFull(roll: Roll, act: () => unknown): void {
  const before = roll.agents();
  assert.throws(act, (error) => error instanceof RollError && error.code === "roll-full");
  assert.deepEqual(roll.agents(), before);
}

describe("an agent", () => {
  const facts = (nowMs: number) => ({ skewMs: -3_000, leafNotAfterMs: 5 * hourMs, nowMs });
  const state = (roll: Roll): readonly unknown[] =>
    roll
      .agents()
      .map(({ connected, lastSeenMs, heldRootsDigest, unobservedReaders }) => [
        connected,
        lastSeenMs,
        heldRootsDigest,
        unobservedReaders,
      ]);

  it("is known from its Hello on, with what its reports say of itself", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([], { heldRootsDigest: "ab" }), 5);
    assert.deepEqual(roll.agents(), []);
    roll.connected(cart, facts(10));
    assert.deepEqual(state(roll), [[true, 10, undefined, 0]]);
    roll.report(cart, report([], { heldRootsDigest: "ab", unobservedReaders: 2 }), 20);
    assert.deepEqual(state(roll), [[true, 20, "ab", 2]]);
    roll.report(cart, report([]), 30);
    assert.deepEqual(state(roll), [[true, 30, undefined, 0]]);
  });

  it("that comes again has said nothing yet, and its proxies are away until it names them", () => {
    const roll = new Roll(limits);
    roll.connected(cart, facts(10));
    roll.report(cart, report([proxy("p1")], { heldRootsDigest: "ab" }), 20);
    roll.connected(cart, facts(30));
    assert.deepEqual(state(roll), [[true, 30, undefined, 0]]);
    assert.equal(show(roll), "(p1)");
    roll.report(cart, report([proxy("p1")], { full: true }), 40);
    assert.equal(show(roll), "p1");
  });

  it("is remembered until its certificate has expired by any clock", () => {
    const roll = new Roll(limits);
    roll.connected(cart, facts(10));
    assert.equal(roll.maxSkewMs, 3_000);
    roll.prune(99 * hourMs);
    roll.disconnected(cart, 20);
    assert.deepEqual(state(roll), [[false, 20, undefined, 0]]);
    roll.prune(6 * hourMs + 999);
    assert.equal(roll.agents().length, 1);
    roll.prune(6 * hourMs + 1_000);
    assert.deepEqual(roll.agents(), []);
    assert.equal(roll.maxSkewMs, 0);
  });

  it("is forgotten with its proxies at its goodbye, and makes room", () => {
    const roll = new Roll({ ...limits, proxiesPerIdentityMax: 1 });
    roll.connected(cart, facts(10));
    roll.report(cart, report([proxy("p1")]), 20);
    roll.goodbye({ ...cart, agentId: "stranger" });
    assert.equal(show(roll), "p1");
    roll.goodbye(cart);
    roll.disconnected(cart, 30);
    assert.deepEqual([roll.agents(), roll.entries()], [[], []]);
    roll.connected({ ...cart, agentId: "a2" }, facts(40));
    roll.report({ ...cart, agentId: "a2" }, report([proxy("p1")]), 50);
    assert.equal(show(roll), "p1");
  });

  it("is refused when its identity has made up too many, or the mesh is full", () => {
    const roll = new Roll({ ...limits, proxiesPerIdentityMax: 2, proxiesMax: 3 });
    const connect = (spiffeId: string, agentId: string): void =>
      roll.connected({ spiffeId, agentId }, facts(10));
    connect(cart.spiffeId, "a1");
    connect(cart.spiffeId, "a2");
    connect(cart.spiffeId, "a2");
    isFull(roll, () => connect(cart.spiffeId, "a3"));
    connect(pay.spiffeId, "a1");
    isFull(roll, () => connect(pay.spiffeId, "a2"));
    assert.equal(roll.agents().length, 3);
  });

  it("is the one to count clients of its Workload API that have left", () => {
    const roll = new Roll(limits);
    const certificate = { serialHex: "01", notAfterMs: 7 * hourMs };
    const acked = { atMs: 1, bundleSequence: 0n, certificate };
    const client = (proxyId: string): ProxyEvidence => ({
      proxyId,
      weak: true,
      subscriptions: [{ streamId: 1n, resourceName: "x509", acked }],
    });
    roll.connected(cart, facts(10));
    roll.report(cart, report([client("c1"), client("c2")]), 20);
    roll.report(cart, report([], { gone: ["c1"] }), 30);
    assert.equal(show(roll), "c2");
    roll.disconnected(cart, 40);
    roll.prune(50);
    assert.equal(show(roll), "(c2)");
    roll.connected(cart, facts(60));
    roll.prune(65);
    assert.equal(show(roll), "(c2)");
    roll.report(cart, report([client("c3")], { full: true, heldRootsDigest: "ab" }), 70);
    assert.equal(show(roll), "(c2) c3");
    roll.prune(80);
    assert.equal(show(roll), "c3");
    assert.equal(roll.agents()[0]?.unobservedUntilMs, 7 * hourMs);
  });
});
