/**
 * How much of the file the rows of an identity take, about. One that is compromised must not fill it for all others: it has a share, and
 * beyond it nothing of its proxies is kept, and that is known. What is added is summed up; what was forgotten is known after each pass of
 * the pruner, which counts all that is there.
 */

import type { BoundedIdentity } from "./evidence-protocol.ts";
import { hourMs } from "./evidence-change.ts";

/** A quarter of the file. */
const shareOctetsMax = 536_870_912;
const saidMax = 1_024;

export class IdentityShares {
  readonly #octetsMax: number;
  #octets = new Map<string, number>();
  /** Of the pass that is under way. */
  #counted: Map<string, number> | undefined;
  /** By bound and identity: the hour in which it was said last. */
  readonly #said = new Map<string, number>();
  #bounded: BoundedIdentity[] = [];

  constructor(octetsMax: number = shareOctetsMax) {
    this.#octetsMax = octetsMax;
  }

  isFull(spiffeId: string): boolean {
    return (this.#octets.get(spiffeId) ?? 0) >= this.#octetsMax;
  }

  add(spiffeId: string, octets: number): void {
    add(this.#octets, spiffeId, octets);
    if (this.#counted !== undefined) add(this.#counted, spiffeId, octets);
  }

  beginCount(): void {
    this.#counted = new Map();
  }

  counted(spiffeId: string, octets: number): void {
    if (this.#counted !== undefined) add(this.#counted, spiffeId, octets);
  }

  endCount(): void {
    this.#octets = this.#counted ?? this.#octets;
    this.#counted = undefined;
  }

  /** It is beyond a bound: that is said once an hour. */
  bounded(spiffeId: string, bound: BoundedIdentity["bound"], atMs: number): void {
    const key = `${bound} ${spiffeId}`;
    const hour = Math.floor(atMs / hourMs);
    if (this.#said.get(key) === hour) return;
    if (this.#said.size >= saidMax) this.#said.clear();
    this.#said.set(key, hour);
    this.#bounded.push({ spiffeId, bound });
  }

  /** Those that are to be said. */
  takeBounded(): readonly BoundedIdentity[] {
    const bounded = this.#bounded;
    this.#bounded = [];
    return bounded;
  }
}

function add(sums: Map<string, number>, key: string, octets: number): void {
  sums.set(key, (sums.get(key) ?? 0) + octets);
}
