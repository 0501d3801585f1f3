/** A flush of Envoy's counters, of one port: what they say, and how much of it was told. */

import type { LedgerSnapshot } from "./chain-ledger.ts";
import { isMeshedChain } from "./chain-names.ts";
import type { PortCounts } from "./connection-counts.ts";

export interface CountedFlush {
  readonly takenMs: number;
  /** It does not go on from the one before. */
  readonly isApart: boolean;
  readonly chains: ReadonlyMap<string, LedgerSnapshot>;
  readonly ended: EndedCounts;
}

/** Connections that have ended, by Envoy's own numbers, which another agent of it reads as well. */
export interface EndedCounts {
  readonly unmeshed: number;
  readonly meshed: number;
}

export interface PendingFlush extends CountedFlush {
  readonly total: LedgerSnapshot;
}

/** Of connections that had ended by then. */
export function tellFlush({ chains, total }: PendingFlush, name: string, count: number): void {
  const chain = chains.get(name);
  if (chain !== undefined) chain.told += count;
  total.told += count;
}

export function missing({ ended, told }: LedgerSnapshot): number {
  return ended - told;
}

export function endedCounts({ chains }: PortCounts): EndedCounts {
  let [unmeshed, meshed] = [0, 0];
  for (const [name, { ended }] of chains) {
    if (isMeshedChain(name)) meshed += ended;
    else unmeshed += ended;
  }
  return { unmeshed, meshed };
}
