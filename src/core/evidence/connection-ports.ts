/** The ports of one life of an Envoy: each has an account from where it can begin. */

import { isMeshedChain } from "./chain-names.ts";
import type { SeenConnections } from "./connection.ts";
import type { CountsFlush, PortCounts, ToldEnd } from "./connection-counts.ts";
import type { EnvoyLife } from "./envoy-life.ts";
import { NamedConnections } from "./named-connections.ts";
import { PortAccount, type CountedCoverage } from "./port-account.ts";
import { PortBeginning, type Beginning } from "./port-beginning.ts";
import { PortRoom } from "./port-room.ts";

export interface AccountedPorts {
  /** Since the last time. */
  readonly coverage: readonly CountedCoverage[];
  /** Connections without mTLS that are open, with a count of 0: what was seen last of them is what was answered for. */
  readonly stillOpen: readonly SeenConnections[];
}

/** More than an Envoy tells of in a second: those of all ports, until their accounts begin. */
const endsMax = 16_384;
/** Of those without mTLS that have ended since the last flush. */
const endedMax = 16_384;

const nothing: PortCounts = { ended: 0, chains: new Map() };

export class ConnectionPorts {
  readonly #named = new Map<number, NamedConnections>();
  readonly #beginnings = new Map<number, PortBeginning>();
  readonly #accounts = new Map<number, PortAccount>();
  readonly #room = new PortRoom(endedMax);
  /** That wait for their accounts: at least so many may come yet. */
  #endsLeft = endsMax;
  #life: EnvoyLife | undefined;

  /** The first flush has come. */
  begin(life: EnvoyLife, ports: Iterable<number>): void {
    this.#life = life;
    for (const port of ports) this.#beginningOf(port);
  }

  namedOf(port: number): NamedConnections {
    const known = this.#named.get(port) ?? new NamedConnections(this.#room);
    this.#named.set(port, known);
    return known;
  }

  tell(port: number, end: ToldEnd): void {
    const its = this.#of(port);
    if (its instanceof PortBeginning) this.#makeRoom();
    its.tell(end);
  }

  /** @param isApart the clock was set forward since the last one */
  flush({ takenMs, removedListeners, ports }: CountsFlush, isApart: boolean): void {
    if (isApart && this.#life !== undefined) this.#life.sinceMs = takenMs;
    for (const port of ports.keys()) this.#of(port);
    for (const [port, beginning] of this.#beginnings) {
      if (isApart) beginning.clockSetForward();
      // Nobody asks for a moment before where it may begin.
      this.#named.get(port)?.forgetBefore(takenMs);
      const counts = ports.get(port) ?? nothing;
      this.#begin(port, beginning, { takenMs, isWhole: removedListeners === 0, counts });
    }
    for (const [port, account] of this.#accounts) {
      account.flush(takenMs, ports.get(port) ?? nothing, isApart);
    }
  }

  /** Times of what was told before say nothing about what is told now. */
  clockSetBack(nowMs: number): void {
    for (const beginning of this.#beginnings.values()) beginning.beginAnew();
    for (const account of this.#accounts.values()) account.clockSetBack(nowMs);
  }

  /** No flush will come any more. */
  end(): void {
    for (const account of this.#accounts.values()) account.end();
  }

  take(): AccountedPorts {
    const coverage: CountedCoverage[] = [];
    const stillOpen: SeenConnections[] = [];
    for (const [port, account] of this.#accounts) {
      const taken = account.take();
      const last = taken.at(-1);
      if (last === undefined) continue;
      coverage.push(...taken);
      stillOpen.push(...this.namedOf(port).stillOpen(last.untilMs));
    }
    return { coverage, stillOpen };
  }

  #begin(port: number, beginning: PortBeginning, flush: Beginning): void {
    const begin = beginning.flush(flush);
    if (begin === undefined || this.#life === undefined) return;
    const { takenMs: beginMs, counts } = begin;
    const isMeshed = begin.isWhole && endedMeshed(counts) >= counts.ended;
    const times = { beginMs, sinceMs: isMeshed ? this.#life.sinceMs : beginMs };
    const account = new PortAccount(port, this.namedOf(port), counts, times);
    for (const end of beginning.ends) account.tell(end);
    this.#beginnings.delete(port);
    this.#accounts.set(port, account);
  }

  /** Of one port more come than of any other, while no flush does: it begins later. */
  #makeRoom(): void {
    this.#endsLeft -= 1;
    if (this.#endsLeft >= 0) return;
    const count = (): number => all.reduce((sum, { ends }) => sum + ends.length, 0);
    const all = [...this.#beginnings.values()];
    const [most] = all.toSorted((a, b) => b.ends.length - a.ends.length);
    if (count() >= endsMax) most?.beginAnew();
    this.#endsLeft = endsMax - count() - 1;
  }

  #of(port: number): PortAccount | PortBeginning {
    const known = this.#accounts.get(port) ?? this.#beginnings.get(port);
    if (known !== undefined) return known;
    // Its listener came later than the first flush.
    if (this.#life === undefined) return this.#beginningOf(port);
    const account = new PortAccount(port, this.namedOf(port), nothing, this.#life);
    this.#accounts.set(port, account);
    return account;
  }

  #beginningOf(port: number): PortBeginning {
    const known = this.#beginnings.get(port) ?? new PortBeginning();
    this.#beginnings.set(port, known);
    return known;
  }
}

function endedMeshed({ chains }: PortCounts): number {
  const meshed = Array.from(chains).filter(([name]) => isMeshedChain(name));
  return meshed.reduce((sum, [, { ended }]) => sum + ended, 0);
}
