/** A roll with agents and proxies in it, and a gate's view of them. */

import type { Gate, Laggard } from "../../src/core/roll/laggard.ts";
import type {
  ProxyEvidence,
  Reporter,
  SubscriptionEvidence,
} from "../../src/core/roll/evidence.ts";
import { LeafOwners } from "../../src/core/roll/leaf-owners.ts";
import type { LeafRecord } from "../../src/core/roll/leaf-record.ts";
import type { RollLimits } from "../../src/core/roll/roll-limits.ts";
import { Roll } from "../../src/core/roll/roll.ts";
import type { VerifierView } from "../../src/core/roll/verifier-view.ts";

const rollLimits: RollLimits = {
  proxiesMax: 20_000,
  proxiesPerIdentityMax: 20_000,
  proxiesPerReporterMax: 64,
  subscriptionsPerProxyMax: 16,
};

export const NOW_MS = 1_790_000_000_000;
export const hourMs = 3_600_000;
export const present: string = "ab".repeat(32);
/** Of bundles that somebody holds, unless it is said otherwise. */
export const heldSequence = 7n;
export const former: string = "cd".repeat(32);
export const cart: Reporter = { agentId: "a1", spiffeId: "spiffe://td/ns/shop/sa/cart" };

/** What an acknowledged response held. */
export function holding(rootsDigest?: string, notAfterMs?: number): Partial<SubscriptionEvidence> {
  return {
    acked: {
      atMs: NOW_MS,
      bundleSequence: heldSequence,
      ...(rootsDigest !== undefined && { rootsDigest }),
      ...(notAfterMs !== undefined && { certificate: { serialHex: "01", notAfterMs } }),
    },
  };
}

export function subscription(
  resourceName: string,
  changes: Partial<SubscriptionEvidence> = {},
): SubscriptionEvidence {
  return { streamId: 1n, resourceName, ...changes };
}

/** An Envoy as it mostly is: a certificate for an hour, and a bundle. */
export function envoy(proxyId: string, rootsDigest: string): ProxyEvidence {
  const certificate = subscription("default", holding(undefined, NOW_MS + hourMs));
  return { proxyId, subscriptions: [certificate, subscription("ROOTCA", holding(rootsDigest))] };
}

export class RollScene {
  readonly roll: Roll = new Roll(rollLimits);
  readonly owners: LeafOwners = new LeafOwners();

  constructor() {
    this.owners.built();
  }

  /** An agent that is here, and holds the present bundle unless it is said otherwise. */
  connect(
    reporter: Reporter,
    proxies: readonly ProxyEvidence[] = [],
    heldRootsDigest: string | undefined = present,
    facts: { readonly skewMs?: number; readonly isNodeAgent?: boolean } = {},
  ): void {
    const defaults = { skewMs: 0, leafNotAfterMs: NOW_MS + hourMs, nowMs: NOW_MS };
    this.roll.connected(reporter, { ...defaults, ...facts });
    this.report(reporter, proxies, heldRootsDigest);
  }

  report(
    reporter: Reporter,
    proxies: readonly ProxyEvidence[],
    heldRootsDigest?: string,
    unobservedReaders = 0,
  ): void {
    const report = { sequence: 1n, full: true, proxies, gone: [], unobservedReaders };
    const heldBundleSequence = heldSequence;
    const held = heldRootsDigest === undefined ? {} : { heldRootsDigest, heldBundleSequence };
    this.roll.report(reporter, { ...report, ...held }, NOW_MS);
  }

  view(changes: Partial<VerifierView> = {}): VerifierView {
    return {
      roll: this.roll,
      owners: this.owners,
      rootsDigest: present,
      rootsSequence: 0n,
      validationNames: new Set(["ROOTCA", "spiffe://td", "ALL"]),
      cutIndex: 100,
      speaksFor: () => false,
      classes: [],
      waived: new Set(),
      lostUntilMs: 0,
      ...changes,
    };
  }
}

/** An agent's certificate for an hour, unless it is said otherwise. */
export function leaf(changes: Partial<LeafRecord> = {}): LeafRecord {
  return {
    identity: cart.spiffeId,
    agent: "",
    serialHex: "5a01",
    notAfterMs: NOW_MS + hourMs,
    root: "0a",
    intentIndex: 50,
    outcome: "signed",
    ...changes,
  };
}

export function laggardsOf(gate: Gate): readonly Laggard[] {
  return gate.kind === "open" ? [] : gate.laggards;
}

/** `open`, or `NAME REASON` of those that it waits for. */
export function wordsOf(gate: Gate): string {
  if (gate.kind === "open") return "open";
  return gate.laggards.map(({ name, reason }) => `${name} ${reason}`).join(", ");
}
