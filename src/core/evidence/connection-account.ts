/**
 * What an agent can answer for of one life of an Envoy: its counters, which come each second, against what it tells of each connection.
 * Whoever comes in the middle of a life begins with a flush, unless nothing without mTLS was counted before.
 */

import { isMeshedChain, isPlainChain } from "./chain-names.ts";
import type { SeenConnections } from "./connection.ts";
import type { CountsFlush, PortCounts, ToldConnection } from "./connection-counts.ts";
import { isSameLife, type EnvoyLife } from "./envoy-life.ts";
import { NamedConnections } from "./named-connections.ts";
import { PortAccount, type CountedCoverage } from "./port-account.ts";
import { PortBeginning, type Beginning } from "./port-beginning.ts";

export interface Accounted {
  /** When the life began; whole seconds are all that Envoy says of it. Undefined before the first flush. */
  readonly epochMs: number | undefined;
  /** Since the last time. */
  readonly coverage: readonly CountedCoverage[];
  /** Connections without mTLS that are open, with a count of 0: what was seen last of them is what was answered for. */
  readonly stillOpen: readonly SeenConnections[];
}

/** Entries come at once. What is later, or early, is of a connection during which the clock was set: Envoy adds to its beginning. */
const lateMs = 3_000;
const nothing: PortCounts = { ended: 0, chains: new Map() };

export class ConnectionAccount {
  readonly #named = new Map<number, NamedConnections>();
  readonly #beginnings = new Map<number, PortBeginning>();
  readonly #ports = new Map<number, PortAccount>();
  #life: EnvoyLife | undefined;
  /** When something was told last, and when counters were taken last. */
  #nowMs = -Infinity;
  #takenMs = -Infinity;

  /**
   * Of one that has begun, or goes on: of those with mTLS nothing is kept.
   * @returns how many connections it tells of that were not told before
   */
  opened(told: ToldConnection, nowMs: number): number {
    this.#look(nowMs);
    if (!isPlainChain(told.chain)) return 0;
    return Number(this.#namedOf(told.seen.port).opened(told, nowMs));
  }

  /** @param nowMs by the clock of Envoy's host @returns as `opened` */
  ended(told: ToldConnection, nowMs: number): number {
    this.#look(nowMs);
    const { chain, seen } = told;
    const { port, lastMs } = seen;
    const endMs = lastMs < nowMs - lateMs || lastMs > nowMs ? nowMs : lastMs;
    const isKnown = isPlainChain(chain) && this.#namedOf(port).ended(told, endMs);
    this.#of(port).tell({ chain, endMs, toldMs: nowMs });
    return isKnown ? 0 : 1;
  }

  /** @returns whether it is of this life of the Envoy; of another nothing is taken, and this one has ended */
  flush(flush: CountsFlush, nowMs: number): boolean {
    const { takenMs, uptimeSeconds, ports } = flush;
    this.#look(nowMs);
    // Taken before the clock was set back: the next one has it all.
    if (takenMs > nowMs) return true;
    const isWhole = flush.removedListeners === 0;
    const life = this.#life;
    if (life === undefined) {
      const epochMs = takenMs - uptimeSeconds * 1_000;
      this.#life = { epochMs, beginMs: takenMs, isWhole, takenMs, uptimeSeconds };
      for (const port of ports.keys()) this.#beginningOf(port);
    } else {
      if (!isSameLife(life, flush)) return false;
      if (takenMs < this.#takenMs) this.#clockSetBack(takenMs);
      [life.takenMs, life.uptimeSeconds] = [takenMs, uptimeSeconds];
    }
    this.#takenMs = takenMs;
    for (const port of ports.keys()) this.#of(port);
    for (const [port, beginning] of this.#beginnings) {
      this.#begin(port, beginning, { takenMs, isWhole, counts: ports.get(port) ?? nothing });
    }
    for (const [port, account] of this.#ports) account.flush(takenMs, ports.get(port) ?? nothing);
    return true;
  }

  /** No flush of it will come any more. */
  end(): void {
    for (const account of this.#ports.values()) account.end();
  }

  take(): Accounted {
    const coverage: CountedCoverage[] = [];
    const stillOpen: SeenConnections[] = [];
    for (const [port, account] of this.#ports) {
      const taken = account.take();
      if (taken === undefined) continue;
      coverage.push(taken);
      stillOpen.push(...this.#namedOf(port).stillOpen(taken.untilMs));
    }
    return { epochMs: this.#life?.epochMs, coverage, stillOpen };
  }

  #look(nowMs: number): void {
    if (nowMs < Math.max(this.#nowMs, this.#takenMs)) this.#clockSetBack(nowMs);
    this.#nowMs = nowMs;
  }

  /** Times of what was told before say nothing about what is told now. */
  #clockSetBack(nowMs: number): void {
    this.#takenMs = -Infinity;
    for (const beginning of this.#beginnings.values()) beginning.clockSetBack();
    for (const account of this.#ports.values()) account.clockSetBack(nowMs);
  }

  #begin(port: number, beginning: PortBeginning, flush: Beginning): void {
    const begin = beginning.flush(flush);
    if (begin === undefined || this.#life === undefined) return;
    const { takenMs: beginMs, counts } = begin;
    const isMeshed = begin.isWhole && endedMeshed(counts) >= counts.ended;
    const times = { beginMs, sinceMs: isMeshed ? this.#life.epochMs : beginMs };
    const account = new PortAccount(port, this.#namedOf(port), counts, times);
    for (const end of beginning.ends) account.tell(end);
    this.#beginnings.delete(port);
    this.#ports.set(port, account);
  }

  #of(port: number): PortAccount | PortBeginning {
    const known = this.#ports.get(port) ?? this.#beginnings.get(port);
    if (known !== undefined) return known;
    const life = this.#life;
    if (life === undefined) return this.#beginningOf(port);
    // Its listener came later than the account.
    const { beginMs, isWhole, epochMs } = life;
    const times = { beginMs, sinceMs: isWhole ? epochMs : beginMs };
    const account = new PortAccount(port, this.#namedOf(port), nothing, times);
    this.#ports.set(port, account);
    return account;
  }

  #beginningOf(port: number): PortBeginning {
    const known = this.#beginnings.get(port) ?? new PortBeginning();
    this.#beginnings.set(port, known);
    return known;
  }

  #namedOf(port: number): NamedConnections {
    const known = this.#named.get(port) ?? new NamedConnections();
    this.#named.set(port, known);
    return known;
  }
}

function endedMeshed({ chains }: PortCounts): number {
  const meshed = Array.from(chains).filter(([name]) => isMeshedChain(name));
  return meshed.reduce((sum, [, { ended }]) => sum + ended, 0);
}
