/** The roll against a model that is one flat list and knows no optimisation. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { proxyKey, type EvidenceReport, type ProxyEvidence, type Reporter } from "./evidence.ts";
import type { RollEntry } from "./roll-entry.ts";
import { RollError, type RollLimits } from "./roll-limits.ts";
import { Roll } from "./roll.ts";

const limits: RollLimits = {
  proxiesMax: 6,
  proxiesPerIdentityMax: 4,
  proxiesPerReporterMax: 3,
  subscriptionsPerProxyMax: 2,
};
const hourMs = 3_600_000;
const identities = ["spiffe://td/x", "spiffe://td/y"];

class Model {
  entries: RollEntry[] = [];

  report(reporter: Reporter, { full, proxies, gone }: EvidenceReport, nowMs: number): boolean {
    const next = full ? this.entries.map(away(reporter)) : [...this.entries];
    for (const evidence of proxies) {
      const at = next.findIndex(
        (each) =>
          same(each.reporter, reporter) &&
          each.evidence.proxyId === evidence.proxyId &&
          each.evidence.spiffeId === evidence.spiffeId,
      );
      const ends = evidence.subscriptions.map(({ acked }) => acked?.certificate?.notAfterMs ?? 0);
      const heldUntilMs = Math.max(0, next[at]?.heldUntilMs ?? 0, ...ends);
      const seen = { connected: true, lastSeenMs: nowMs, lapsed: [] };
      const entry = { reporter, evidence, heldUntilMs, ...seen };
      if (at === -1) next.push(entry);
      else next[at] = entry;
    }
    const widest = Math.max(0, ...proxies.map(({ subscriptions }) => subscriptions.length));
    const tooMuch =
      next.length > limits.proxiesMax ||
      widest > limits.subscriptionsPerProxyMax ||
      identities.some((id) => {
        const all = next.filter(
          (each) => (each.evidence.spiffeId ?? each.reporter.spiffeId) === id,
        );
        const here = all.filter((each) => same(each.reporter, reporter));
        return (
          all.length > limits.proxiesPerIdentityMax || here.length > limits.proxiesPerReporterMax
        );
      });
    if (tooMuch) return false;
    this.entries = next.map((each) =>
      same(each.reporter, reporter) && gone.includes(proxyKey(each.evidence))
        ? away(reporter)(each)
        : each,
    );
    return true;
  }

  prune(nowMs: number): void {
    this.entries = this.entries.filter(
      ({ connected, lastSeenMs, heldUntilMs }) =>
        connected ||
        nowMs < lastSeenMs + hourMs ||
        (heldUntilMs > 0 && nowMs < heldUntilMs + 1_000),
    );
  }

  left(reporter: Reporter, nowMs: number): void {
    this.entries = this.entries.map((each) =>
      same(each.reporter, reporter) && each.connected
        ? { ...each, connected: false, lastSeenMs: nowMs }
        : each,
    );
  }
}

type Command =
  | { readonly kind: "report"; readonly reporter: Reporter; readonly report: EvidenceReport }
  | { readonly kind: "connected" | "disconnected" | "goodbye"; readonly reporter: Reporter }
  | { readonly kind: "prune" };

const reporter: fc.Arbitrary<Reporter> = fc.record({
  agentId: fc.constantFrom("a1", "a2"),
  spiffeId: fc.constantFrom(...identities),
});
const proxyId = fc.constantFrom("p1", "p2", "p3", "p4");
const subscription = fc.record({
  streamId: fc.constant(1n),
  resourceName: fc.constantFrom("default", "ROOTCA"),
  acked: fc.record({
    atMs: fc.constant(1),
    bundleSequence: fc.constant(0n),
    certificate: fc.record({
      serialHex: fc.constant("01"),
      notAfterMs: fc.nat({ max: 20 * hourMs }),
    }),
  }),
});
/** Of a node agent where it names somebody. */
const proxy: fc.Arbitrary<ProxyEvidence> = fc.record(
  {
    proxyId,
    spiffeId: fc.constantFrom(...identities),
    subscriptions: fc.array(subscription, { maxLength: 3, size: "small" }),
  },
  { requiredKeys: ["proxyId", "subscriptions"] },
);
const goneKey = fc.oneof(proxyId, proxy.map(proxyKey));
const report: fc.Arbitrary<EvidenceReport> = fc.record({
  sequence: fc.constant(1n),
  full: fc.boolean(),
  proxies: fc.array(proxy, { maxLength: 3 }),
  gone: fc.array(goneKey, { maxLength: 2 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("report" as const), reporter, report }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("connected", "disconnected", "goodbye"),
      reporter,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("prune" as const) }) },
);
const steps = fc.array(fc.tuple(command, fc.nat({ max: 2 * hourMs })), { maxLength: 30 });

describe("the roll", () => {
  it("does what its model does, whatever is said in whatever order", () => {
    let refused = 0;
    fc.assert(
      fc.property(steps, (steps) => {
        const roll = new Roll(limits);
        const model = new Model();
        let nowMs = 0;
        for (const [command, passedMs] of steps) {
          nowMs += passedMs;
          if (!apply(roll, model, command, nowMs)) refused++;
          assert.deepEqual(sorted(roll.entries()), sorted(model.entries));
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(refused > 0);
  });
});

/** @returns false where the limits refused the report */
function apply(roll: Roll, model: Model, command: Command, nowMs: number): boolean {
  switch (command.kind) {
    case "report": {
      const accepted = model.report(command.reporter, command.report, nowMs);
      const act = (): unknown => roll.report(command.reporter, command.report, nowMs);
      if (accepted) act();
      else assert.throws(act, RollError);
      return accepted;
    }
    case "connected":
      roll.connected(command.reporter, { skewMs: 0, leafNotAfterMs: 0, nowMs });
      model.left(command.reporter, nowMs);
      return true;
    case "disconnected":
      roll.disconnected(command.reporter, nowMs);
      model.left(command.reporter, nowMs);
      return true;
    case "goodbye":
      roll.goodbye(command.reporter);
      model.entries = model.entries.filter((each) => !same(each.reporter, command.reporter));
      return true;
    case "prune":
      roll.prune(nowMs);
      model.prune(nowMs);
      return true;
    default:
      return command satisfies never;
  }
}

const away =
  (reporter: Reporter) =>
  (entry: RollEntry): RollEntry =>
    same(entry.reporter, reporter) ? { ...entry, connected: false } : entry;

function same(a: Reporter, b: Reporter): boolean {
  return a.agentId === b.agentId && a.spiffeId === b.spiffeId;
}

function sorted(entries: readonly RollEntry[]): RollEntry[] {
  const key = ({ reporter, evidence }: RollEntry): string =>
    `${reporter.spiffeId} ${reporter.agentId} ${proxyKey(evidence)}`;
  // Which subscriptions have lapsed, tests of their own say.
  const plain = entries.map((entry) => ({ ...entry, lapsed: [] }));
  return plain.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
