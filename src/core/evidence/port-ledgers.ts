/** Ledgers of a port: of each of its chains, and of all of them together, which Envoy counts by itself. */

import { ChainLedger, type LedgerSnapshot } from "./chain-ledger.ts";
import type { PortCounts } from "./connection-counts.ts";

export class PortLedgers {
  readonly #chains = new Map<string, ChainLedger>();
  readonly total: ChainLedger;

  /** @param counts at the beginning: of what ended before nobody has to tell */
  constructor(counts: PortCounts) {
    this.total = new ChainLedger(counts.ended);
    for (const [name, { ended }] of counts.chains) this.#chains.set(name, new ChainLedger(ended));
  }

  get chains(): Iterable<readonly [name: string, ledger: ChainLedger]> {
    return this.#chains;
  }

  of(name: string): ChainLedger {
    const known = this.#chains.get(name);
    if (known !== undefined) return known;
    const ledger = new ChainLedger(0);
    this.#chains.set(name, ledger);
    return ledger;
  }

  tell(name: string, count: number): void {
    this.of(name).tell(count);
    this.total.tell(count);
  }

  count(counts: PortCounts): void {
    for (const name of counts.chains.keys()) this.of(name);
    for (const [name, ledger] of this.#chains) {
      const { ended, open } = counts.chains.get(name) ?? { ended: 0, open: 0 };
      ledger.count(ended, open);
    }
    this.total.count(counts.ended, 0);
  }

  balance(): void {
    for (const ledger of this.#chains.values()) ledger.balance();
    this.total.balance();
  }

  snapshots(): ReadonlyMap<string, LedgerSnapshot> {
    return new Map(Array.from(this.#chains, ([name, ledger]) => [name, ledger.snapshot()]));
  }

  /** Of those chains that are asked for. */
  lost(isAsked: (name: string) => boolean = () => true): number {
    const asked = Array.from(this.#chains).filter(([name]) => isAsked(name));
    return asked.reduce((sum, [, { lost }]) => sum + lost, 0);
  }
}
