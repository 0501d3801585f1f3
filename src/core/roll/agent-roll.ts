/** The agents of the roll: what each one holds by its own word, and until when its certificate may be used. */

import type { EvidenceReport, Reporter } from "./evidence.ts";
import { endOf, longestLifeMs, skewMaxMs } from "./leaf-record.ts";
import { agentKey } from "./leaf-owners.ts";
import { RollCount, type RollLimits } from "./roll-limits.ts";

export interface AgentEntry {
  readonly reporter: Reporter;
  /** A configured one, which speaks for others. */
  readonly isNodeAgent: boolean;
  readonly connected: boolean;
  readonly lastSeenMs: number;
  /** Of the certificate that its newest stream came with; 0 where none is known. */
  readonly leafNotAfterMs: number;
  /** How far its clock is behind the server's; less than 0 if it is ahead; undefined where it has not said. */
  readonly skewMs: number | undefined;
  /** As its newest stream has said; undefined until it has. */
  readonly heldRootsDigest: string | undefined;
  readonly heldBundleSequence: bigint;
  readonly unobservedReaders: number;
  /** When the last certificate ends of a Workload API's client that is not heard of any more. */
  readonly unobservedUntilMs: number;
}

/** Of an agent's Hello. */
export interface ConnectedFacts {
  /** The server's time less the agent's; undefined where it has not said. */
  readonly skewMs: number | undefined;
  /** Of the certificate that its stream is authenticated by. */
  readonly leafNotAfterMs: number;
  readonly isNodeAgent?: boolean;
  /** When the last certificate ends that an identity was given; 0 for none. */
  readonly newestNotAfterMs?: (spiffeId: string) => number;
  readonly nowMs: number;
}

export class AgentRoll {
  readonly #agents = new Map<string, AgentEntry>();
  readonly #count: RollCount;

  constructor(limits: RollLimits) {
    this.#count = new RollCount("agents", limits);
  }

  entries(): MapIterator<[string, AgentEntry]> {
    return this.#agents.entries();
  }

  get(key: string): AgentEntry | undefined {
    return this.#agents.get(key);
  }

  /** What it said on another stream is not said on this one. @throws RollError, and changes nothing */
  connected(reporter: Reporter, facts: ConnectedFacts): void {
    const { skewMs, leafNotAfterMs, isNodeAgent = false, nowMs } = facts;
    const known = this.#agents.get(keyOf(reporter));
    if (known === undefined) {
      this.#count.assertRoom(reporter.spiffeId, 1);
      this.#count.assertRoomForAll(1);
      this.#count.change(reporter.spiffeId, 1);
    }
    this.#agents.set(keyOf(reporter), {
      reporter,
      isNodeAgent,
      connected: true,
      lastSeenMs: nowMs,
      // It may have come back with an older certificate than it had.
      leafNotAfterMs: Math.max(known?.leafNotAfterMs ?? 0, leafNotAfterMs),
      skewMs,
      heldRootsDigest: undefined,
      heldBundleSequence: 0n,
      unobservedReaders: known?.unobservedReaders ?? 0,
      unobservedUntilMs: known?.unobservedUntilMs ?? 0,
    });
  }

  /** Of one that has said no Hello nothing is kept. */
  report(reporter: Reporter, report: EvidenceReport, nowMs: number): void {
    const { heldRootsDigest, heldBundleSequence = 0n, unobservedReaders = 0 } = report;
    const held = { heldRootsDigest, heldBundleSequence };
    const changes = { ...held, unobservedReaders, lastSeenMs: nowMs };
    this.#change(keyOf(reporter), changes);
  }

  disconnected(reporter: Reporter, nowMs: number): void {
    this.#change(keyOf(reporter), { connected: false, lastSeenMs: nowMs });
  }

  /** A client of its Workload API is not heard of any more, and may use its certificate until then. */
  unobserved(key: string, untilMs: number): void {
    const known = this.#agents.get(key)?.unobservedUntilMs ?? 0;
    if (untilMs > known) this.#change(key, { unobservedUntilMs: untilMs });
  }

  remove(reporter: Reporter): void {
    if (this.#agents.delete(keyOf(reporter))) this.#count.change(reporter.spiffeId, -1);
  }

  prune(nowMs: number): void {
    for (const agent of this.#agents.values()) {
      if (!agent.connected && nowMs >= agentEndMs(agent, skewMaxMs)) this.remove(agent.reporter);
    }
  }

  #change(key: string, changes: Partial<AgentEntry>): void {
    const known = this.#agents.get(key);
    if (known !== undefined) this.#agents.set(key, { ...known, ...changes });
  }
}

/** Whether it has told what it has: only then is nobody there whom it does not name. */
export function isHeard(agent: AgentEntry | undefined): boolean {
  return agent?.connected === true && agent.heldRootsDigest !== undefined;
}

/** When one that is away can do nothing any more with what it held. */
export function agentEndMs(agent: AgentEntry, skewMs: number): number {
  const last = Math.max(agent.leafNotAfterMs, agent.unobservedUntilMs);
  return endOf(Math.min(last, agent.lastSeenMs + longestLifeMs), skewMs);
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return agentKey(spiffeId, agentId);
}
