/** What was told of Envoys that are gone, until it is taken: by Envoy, each in its order. */

import { policyKey } from "../../../core/policy/policy-report.ts";
import type { PolicyProxyName } from "../policy/policy-feed.ts";
import type { CountedConnections } from "./connection-recorder.ts";

type Pieces = readonly CountedConnections[];

/** More is dropped, of the identity that has most, the oldest first and all of one Envoy, and is a gap. */
const rowsMax = 65_536;

export class LeftConnections {
  /** By `policyKey`: its other lives and pieces are coverage, which is not to be told without who was seen. */
  readonly #envoys = new Map<string, Pieces>();

  get keys(): Iterable<string> {
    return this.#envoys.keys();
  }

  nameOf(key: string): PolicyProxyName | undefined {
    return this.#envoys.get(key)?.[0];
  }

  /** Of one Envoy. */
  add(pieces: Pieces): void {
    const [first] = pieces;
    if (first === undefined) return;
    const key = policyKey(first);
    this.#envoys.set(key, [...(this.#envoys.get(key) ?? []), ...pieces]);
    while (rowsOf([...this.#envoys.values()].flat()) > rowsMax) this.#drop();
  }

  take(key: string): Pieces {
    const pieces = this.#envoys.get(key) ?? [];
    this.#envoys.delete(key);
    return pieces;
  }

  #drop(): void {
    const identities = Map.groupBy(this.#envoys, ([, [first]]) => first?.spiffeId);
    const rows = (envoys: readonly (readonly [string, Pieces])[]): number =>
      envoys.reduce((sum, [, pieces]) => sum + rowsOf(pieces), 0);
    const [most] = [...identities.values()].toSorted((a, b) => rows(b) - rows(a));
    const [oldest] = most ?? [];
    if (oldest !== undefined) this.#envoys.delete(oldest[0]);
  }
}

export function rowsOf(all: Pieces): number {
  return all.reduce((sum, { seen, coverage }) => sum + seen.length + coverage.length + 1, 0);
}
