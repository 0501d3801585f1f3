/**
 * Which ordered pair has shaken hands under which pair of issuers. What has not been seen yet is called next, so that a few
 * seconds in which some hold old certificates and others new ones are enough for all.
 */

import type { Handshake } from "./member.ts";

export interface Pair {
  readonly caller: string;
  readonly callee: string;
}

/** How many different ordered pairs were seen, by "old/new" generations of caller and callee, as `"1/2"`. */
export type PairsSeen = Readonly<Record<string, number>>;

export class Coverage {
  /** Workloads. */
  readonly size: number;
  readonly pairs: readonly Pair[];
  /** In the order in which they were first seen: the first is generation 1. */
  readonly #issuers: string[] = [];
  readonly #seen = new Map<string, Set<string>>();
  /** The newest that was seen of each. */
  readonly #held = new Map<string, string>();

  constructor(names: readonly string[]) {
    this.size = names.length;
    this.pairs = names.flatMap((caller) =>
      names.flatMap((callee) => (caller === callee ? [] : [{ caller, callee }])),
    );
  }

  add(pair: Pair, { callerIssuer, calleeIssuer }: Handshake): void {
    this.#held.set(pair.caller, callerIssuer).set(pair.callee, calleeIssuer);
    this.#pairsUnder(callerIssuer, calleeIssuer).add(keyOf(pair));
  }

  /** @param random in [0, 1). @returns one that has not been seen with what its two hold, if there is one; else any */
  next(random: number): Pair {
    const start = Math.floor(random * this.pairs.length);
    const rotated = [...this.pairs.slice(start), ...this.pairs.slice(0, start)];
    const chosen = rotated.find((pair) => !this.#isSeen(pair)) ?? rotated[0];
    if (chosen === undefined) throw new TypeError("expected two workloads or more");
    return chosen;
  }

  any(random: number): Pair {
    const pair = this.pairs[Math.floor(random * this.pairs.length)];
    if (pair === undefined) throw new TypeError("expected two workloads or more");
    return pair;
  }

  get seen(): PairsSeen {
    return Object.fromEntries([...this.#seen].map(([key, pairs]) => [key, pairs.size]));
  }

  /** Of the generation that each holds now, so far as was seen: how many hold it. */
  get holders(): Readonly<Record<string, number>> {
    const generations = [...this.#held.values()].map((issuer) => this.#generation(issuer));
    const groups = Map.groupBy(generations, (generation) => String(generation));
    return Object.fromEntries([...groups].map(([key, { length }]) => [key, length]));
  }

  #isSeen(pair: Pair): boolean {
    const [caller, callee] = [this.#held.get(pair.caller), this.#held.get(pair.callee)];
    if (caller === undefined || callee === undefined) return false;
    return this.#seen.get(this.#combination(caller, callee))?.has(keyOf(pair)) ?? false;
  }

  #pairsUnder(callerIssuer: string, calleeIssuer: string): Set<string> {
    const key = this.#combination(callerIssuer, calleeIssuer);
    const pairs = this.#seen.get(key) ?? new Set();
    this.#seen.set(key, pairs);
    return pairs;
  }

  #combination(callerIssuer: string, calleeIssuer: string): string {
    return `${this.#generation(callerIssuer)}/${this.#generation(calleeIssuer)}`;
  }

  #generation(issuer: string): number {
    const index = this.#issuers.indexOf(issuer);
    return index === -1 ? this.#issuers.push(issuer) : index + 1;
  }
}

function keyOf({ caller, callee }: Pair): string {
  return `${caller} ${callee}`;
}
