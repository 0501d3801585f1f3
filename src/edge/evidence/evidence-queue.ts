/** What waits to be written, in its order: so much goes into one transaction, and of reports there is room for so many rows. */

import { EvidenceStoreError } from "./evidence-error.ts";
import type { ChangeOutcome, EvidenceChange, ReportChange } from "./evidence-change.ts";

export interface PendingChange {
  readonly change: EvidenceChange;
  /** Undefined where nobody waits for it. */
  readonly done: PromiseWithResolvers<ChangeOutcome> | undefined;
}

const groupRowsMax = 16_384;
/** Some 100 MiB. An agent sends no second report before the first one is acknowledged. */
const waitingRowsMax = 262_144;
/** Of the agents of one identity: one that is compromised must not take the room of all others. */
const identityRowsMax = 65_536;

export class EvidenceQueue {
  #waiting: PendingChange[] = [];
  /** Of reports, also of those that are being written. */
  #rows = 0;
  /** Of those, by the identity of the agent. */
  readonly #ofIdentity = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** @throws EvidenceStoreError `evidence-full`; what is no report always finds room */
  add(pending: PendingChange): void {
    const { change } = pending;
    if (change.kind === "report") this.#takeRoom(identityOf(change), reportRows(change));
    this.#waiting.push(pending);
  }

  /** As much as one transaction takes, and one change at least. */
  take(): readonly PendingChange[] {
    let rows = 0;
    const end = this.#waiting.findIndex(
      ({ change }) => (rows += 1 + reportRows(change)) > groupRowsMax,
    );
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(1, end));
  }

  /** It was not written, and comes first the next time. */
  putBack(group: readonly PendingChange[]): void {
    this.#waiting = [...group, ...this.#waiting];
  }

  done({ change }: PendingChange): void {
    if (change.kind !== "report") return;
    const identity = identityOf(change);
    const rows = reportRows(change);
    const left = (this.#ofIdentity.get(identity) ?? rows) - rows;
    this.#rows -= rows;
    if (left > 0) this.#ofIdentity.set(identity, left);
    else this.#ofIdentity.delete(identity);
  }

  /** Nothing of it will be written. */
  abandon(error: EvidenceStoreError): void {
    for (const { done } of this.#waiting.splice(0)) done?.reject(error);
    this.#rows = 0;
    this.#ofIdentity.clear();
  }

  #takeRoom(identity: string, rows: number): void {
    const taken = this.#ofIdentity.get(identity) ?? 0;
    if (this.#rows + rows > waitingRowsMax || taken + rows > identityRowsMax) {
      const waiting = `${this.#rows} rows wait already, ${taken} of ${identity}`;
      const message = `expected fewer reports at once: ${waiting}`;
      throw new EvidenceStoreError("evidence-full", message);
    }
    this.#rows += rows;
    this.#ofIdentity.set(identity, taken + rows);
  }
}

/** An agent's key begins with it, and it has no space. */
function identityOf({ reporter }: ReportChange): string {
  return reporter.split(" ", 1)[0] ?? reporter;
}

function reportRows(change: EvidenceChange): number {
  if (change.kind !== "report") return 0;
  return change.proxies.reduce((sum, { seen, coverage }) => sum + seen.length + coverage.length, 1);
}
