import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  proxyKey,
  type EvidenceReport,
  type ProxyEvidence,
  type Reporter,
  type SubscriptionEvidence,
} from "./evidence.ts";
import { ownerOf } from "./roll-entry.ts";
import { RollError, type RollErrorCode, type RollLimits } from "./roll-limits.ts";
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

const subscription = (
  resourceName: string,
  changes: Partial<SubscriptionEvidence> = {},
): SubscriptionEvidence => ({ streamId: 1n, resourceName, ...changes });

const proxy = (
  proxyId: string,
  ...subscriptions: readonly SubscriptionEvidence[]
): ProxyEvidence => ({ proxyId, subscriptions });

const report = (
  proxies: readonly ProxyEvidence[],
  changes: Partial<EvidenceReport> = {},
): EvidenceReport => ({ sequence: 1n, full: false, proxies, gone: [], ...changes });

const nack = (atMs: number): Partial<SubscriptionEvidence> => ({
  nack: { atMs, version: "v", detail: "no" },
});

const holding = (notAfterMs: number): Partial<SubscriptionEvidence> => ({
  acked: { atMs: 1, bundleSequence: 0n, certificate: { serialHex: "01", notAfterMs } },
});

/** `proxy` for one that is connected, `(proxy)` for one that is away. */
function show(roll: Roll): string {
  return roll
    .entries()
    .map(({ evidence, connected }) => (connected ? evidence.proxyId : `(${evidence.proxyId})`))
    .join(" ");
}

describe("the roll", () => {
  it("keeps the last word on each proxy", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1", subscription("default"))]), 10);
    roll.report(cart, report([proxy("p1", subscription("ROOTCA"))]), 20);
    const [entry] = roll.entries();
    assert.deepEqual(entry, {
      reporter: cart,
      evidence: proxy("p1", subscription("ROOTCA")),
      connected: true,
      lastSeenMs: 20,
      heldUntilMs: 0,
      lapsed: [{ subscription: subscription("default"), untilMs: 60_020 }],
    });
    assert.equal(roll.entries().length, 1);
  });

  it("keeps proxies of one name apart by who reports them", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1")]), 10);
    roll.report(pay, report([proxy("p1")]), 10);
    roll.report({ ...cart, agentId: "a2" }, report([proxy("p1")]), 10);
    assert.equal(roll.entries().length, 3);
    roll.report(pay, report([], { gone: ["p1"] }), 20);
    assert.equal(show(roll), "p1 (p1) p1");
  });

  it("takes a full report to mean that the others are gone", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1"), proxy("p2")]), 10);
    roll.report(cart, report([proxy("p2")], { full: true }), 20);
    assert.equal(show(roll), "(p1) p2");
    roll.report(cart, report([], { full: true }), 30);
    assert.equal(show(roll), "(p1) (p2)");
    roll.report(cart, report([proxy("p1")]), 40);
    assert.equal(show(roll), "p1 (p2)");
  });

  it("believes that a proxy is gone rather than that it is there", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1")], { gone: ["p1", "nobody"] }), 10);
    assert.equal(show(roll), "(p1)");
  });

  it("remembers the proxies of an agent that went away, and no others", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1")]), 10);
    roll.report(pay, report([proxy("p2")]), 10);
    roll.disconnected(cart, 20);
    roll.disconnected({ ...cart, agentId: "stranger" }, 20);
    assert.equal(show(roll), "(p1) p2");
  });

  it("has seen the connected proxies of an agent until its stream ended, and those only", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1"), proxy("p2")], { gone: ["p2"] }), 10);
    roll.report(pay, report([proxy("p3")]), 10);
    roll.disconnected(cart, 50);
    roll.disconnected({ ...cart, agentId: "stranger" }, 60);
    assert.deepEqual(
      roll.entries().map(({ lastSeenMs }) => lastSeenMs),
      [50, 10, 10],
    );
  });
});

describe("a refusal", () => {
  it("is told once, and again when it is a new one", () => {
    const roll = new Roll(limits);
    const told = (...subscriptions: readonly SubscriptionEvidence[]): string[] =>
      roll
        .report(cart, report([proxy("p1", ...subscriptions)]), 10)
        .map(({ proxyId, resourceName, nack }) => `${proxyId} ${resourceName} ${nack.atMs}`);
    assert.deepEqual(told(subscription("ROOTCA", nack(5))), ["p1 ROOTCA 5"]);
    assert.deepEqual(told(subscription("ROOTCA", nack(5))), []);
    assert.deepEqual(told(subscription("ROOTCA", nack(6))), ["p1 ROOTCA 6"]);
    assert.deepEqual(told(subscription("ROOTCA")), []);
    assert.deepEqual(
      told(subscription("default", nack(6)), subscription("ROOTCA", { ...nack(6), streamId: 2n })),
      ["p1 default 6", "p1 ROOTCA 6"],
    );
  });

  it("is another on each stream and for each resource, at the same moment", () => {
    const roll = new Roll(limits);
    const told = (...subscriptions: readonly SubscriptionEvidence[]): number =>
      roll.report(cart, report([proxy("p1", ...subscriptions)]), 10).length;
    const first = subscription("ROOTCA", nack(5));
    assert.equal(told(first), 1);
    assert.equal(told(first, { ...first, streamId: 2n }), 1);
    assert.equal(told(first, { ...first, resourceName: "default" }), 1);
    assert.equal(told(first, { ...first, resourceName: "default" }), 0);
  });

  it("of another agent's proxy is another", () => {
    const roll = new Roll(limits);
    const refused = report([proxy("p1", subscription("ROOTCA", nack(5)))]);
    assert.equal(roll.report(cart, refused, 10).length, 1);
    assert.equal(roll.report(pay, refused, 10).length, 1);
  });
});

describe("who is away is forgotten", () => {
  it("an hour after it was seen, if it held no certificate", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1", subscription("ROOTCA"))], { gone: ["p1"] }), 1_000);
    roll.prune(1_000 + hourMs - 1);
    assert.equal(show(roll), "(p1)");
    roll.prune(1_000 + hourMs);
    assert.equal(show(roll), "");
  });

  it("not before the last of its certificates has expired", () => {
    const roll = new Roll(limits);
    const both = [
      subscription("default", holding(5 * hourMs)),
      subscription("other", holding(7 * hourMs)),
    ];
    roll.report(cart, report([proxy("p1", ...both)]), 1_000);
    roll.disconnected(cart, 1_000);
    // Its last second counts as a whole.
    roll.prune(7 * hourMs + 999);
    assert.equal(show(roll), "(p1)");
    roll.prune(7 * hourMs + 1_000);
    assert.equal(show(roll), "");
  });

  for (const { title, isAway, lastHour } of [
    { title: "that its agent may have handed out before it broke off", isAway: true, lastHour: 9 },
    {
      title: "that it has acknowledged, where its agent was never away",
      isAway: false,
      lastHour: 5,
    },
  ]) {
    it(`not before that certificate has expired ${title}`, () => {
      const roll = new Roll(limits);
      const facts = { skewMs: 0, leafNotAfterMs: 5 * hourMs, newestNotAfterMs: () => 9 * hourMs };
      roll.connected(cart, { ...facts, nowMs: 0 });
      roll.report(cart, report([proxy("p1", subscription("default", holding(5 * hourMs)))]), 1_000);
      if (isAway) roll.disconnected(cart, 2_000);
      roll.connected(cart, { ...facts, nowMs: 3_000 });
      roll.prune(lastHour * hourMs + 999);
      assert.equal(show(roll), "(p1)");
      roll.prune(lastHour * hourMs + 1_000);
      assert.equal(show(roll), "");
    });
  }

  it("after the longest life of a certificate, whatever it claims to hold", () => {
    const roll = new Roll(limits);
    const forged = proxy("p1", subscription("default", holding(Date.UTC(9_999))));
    roll.report(cart, report([forged], { gone: ["p1"] }), 1_000);
    roll.prune(1_999 + 90 * 24 * hourMs);
    assert.equal(show(roll), "(p1)");
    roll.prune(2_000 + 90 * 24 * hourMs);
    assert.equal(show(roll), "");
  });

  it("never while it is connected", () => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1")]), 0);
    roll.prune(Number.MAX_SAFE_INTEGER);
    assert.equal(show(roll), "p1");
  });

  it("and makes room", () => {
    const roll = new Roll(limits);
    const crowd = report([proxy("p1"), proxy("p2"), proxy("p3")], { gone: ["p1", "p2", "p3"] });
    roll.report(cart, crowd, 0);
    refuses(roll, "roll-report-too-large", () => roll.report(cart, report([proxy("p4")]), hourMs));
    roll.prune(hourMs);
    roll.report(cart, report([proxy("p4")]), hourMs);
    roll.report(pay, report([proxy("p1"), proxy("p2"), proxy("p3")]), hourMs);
    assert.equal(show(roll), "p4 p1 p2 p3");
  });
});

describe("a report over the limits is refused and changes nothing", () => {
  const prepared = (): Roll => {
    const roll = new Roll(limits);
    roll.report(cart, report([proxy("p1", subscription("default"))]), 10);
    roll.report(pay, report([proxy("p1"), proxy("p2")]), 10);
    return roll;
  };
  const crowd = ["p1", "p2", "p3", "p4"].map((id) => proxy(id));
  const wide = ["a", "b", "c"].map((name) => subscription(name));
  const table: readonly (readonly [string, RollErrorCode, Reporter, EvidenceReport])[] = [
    ["too many proxies of one agent", "roll-report-too-large", cart, report(crowd)],
    ["the same in a full report", "roll-report-too-large", cart, report(crowd, { full: true })],
    [
      "too many for one agent with those known",
      "roll-report-too-large",
      pay,
      report(crowd.slice(2)),
    ],
    [
      "a proxy with too many subscriptions",
      "roll-report-too-large",
      cart,
      report([proxy("p1", ...wide)]),
    ],
    ["too many in the mesh", "roll-full", cart, report(crowd.slice(1, 3), { gone: ["p1"] })],
    [
      "a new agent in a full mesh",
      "roll-full",
      { ...cart, agentId: "a2" },
      report(crowd.slice(0, 2)),
    ],
  ];
  for (const [title, code, reporter, excessive] of table) {
    it(title, () => {
      const roll = prepared();
      refuses(roll, code, () => roll.report(reporter, excessive, 99));
    });
  }

  it("when one identity makes up agents, and others still have room", () => {
    const roll = new Roll({ ...limits, proxiesPerIdentityMax: 2 });
    roll.report(cart, report([proxy("p1")]), 10);
    roll.report({ ...cart, agentId: "a2" }, report([proxy("p1")]), 10);
    refuses(roll, "roll-full", () =>
      roll.report({ ...cart, agentId: "a3" }, report([proxy("p1")]), 10),
    );
    roll.report(pay, report([proxy("p1")]), 10);
    assert.equal(show(roll), "p1 p1 p1");
  });

  it("but not for naming one proxy many times, or those that are known", () => {
    const roll = prepared();
    roll.report(cart, report(Array.from({ length: 50 }, () => proxy("p1"))), 20);
    roll.report(cart, report([proxy("p1"), proxy("p2")]), 20);
    roll.report(pay, report([proxy("p1"), proxy("p2")]), 20);
    assert.equal(show(roll), "p1 p2 p1 p2");
  });
});

function refuses(roll: Roll, code: RollErrorCode, act: () => unknown): void {
  const before = roll.entries();
  assert.throws(act, (error) => error instanceof RollError && error.code === code);
  assert.deepEqual(roll.entries(), before);
}

describe("a node agent's report", () => {
  const node: Reporter = { agentId: "n1", spiffeId: "spiffe://td/ns/mesh/sa/node" };
  const of = (spiffeId: string, proxyId: string): ProxyEvidence => ({
    ...proxy(proxyId, subscription("default")),
    spiffeId,
  });

  it("keeps proxies of one name apart by whose they are", () => {
    const roll = new Roll(limits);
    roll.report(node, report([of(cart.spiffeId, "p"), of(pay.spiffeId, "p")]), 10);
    assert.deepEqual(
      new Set(roll.entries().map((entry) => `${ownerOf(entry)} by ${entry.reporter.spiffeId}`)),
      new Set([`${cart.spiffeId} by ${node.spiffeId}`, `${pay.spiffeId} by ${node.spiffeId}`]),
    );
    const gone = [proxyKey(of(cart.spiffeId, "p"))];
    roll.report(node, report([], { gone }), 20);
    const connected = roll.entries().filter((entry) => entry.connected);
    assert.deepEqual(connected.map(ownerOf), [pay.spiffeId]);
  });

  it("counts against whose proxies they are, whoever reports them", () => {
    const roll = new Roll({ ...limits, proxiesPerIdentityMax: 3, proxiesPerReporterMax: 2 });
    const two = [of(cart.spiffeId, "p1"), of(cart.spiffeId, "p2")];
    roll.report(node, report(two), 10);
    assert.throws(
      () => roll.report(node, report([of(cart.spiffeId, "p3")]), 10),
      (error) => error instanceof RollError && error.code === "roll-report-too-large",
    );
    roll.report(node, report([of(pay.spiffeId, "p1")]), 10);
    roll.report(cart, report([proxy("p1")]), 10);
    assert.throws(
      () => roll.report(cart, report([proxy("p2")]), 10),
      (error) => error instanceof RollError && error.code === "roll-full",
    );
    roll.disconnected(node, 20);
    roll.prune(20 + hourMs);
    roll.report(cart, report([proxy("p2")]), 20 + hourMs);
  });
});
