/** What waits to be written, in its order: so much goes into one transaction, and of reports there is room for so many rows. */

import { EvidenceStoreError } from "./evidence-error.ts";
import type { EvidenceChange, ReportChange } from "./evidence-change.ts";
import { WaitingChanges, type NotedChange, type PendingChange } from "./waiting-changes.ts";

const groupRowsMax = 16_384;
/** Of what is no report: some 130,000 proxies and addresses. */
const notedOctetsMax = 67_108_864;
/** Some 100 MiB. An agent sends no second report before the first one is acknowledged. */
const waitingRowsMax = 262_144;
/** Of the agents of one identity: one that is compromised must not take the room of all others. */
const identityRowsMax = 65_536;

export class EvidenceQueue {
  readonly #waiting = new WaitingChanges();
  /** Of reports, also of those that are being written. */
  #rows = 0;
  /** Of those, by the identity of the agent. */
  readonly #ofIdentity = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#waiting.isEmpty;
  }

  /** @throws EvidenceStoreError `evidence-full` */
  report(change: ReportChange, done: PendingChange["done"]): void {
    this.#takeRoom(identityOf(change), reportRows(change));
    this.#waiting.add({ change, done });
  }

  /** @throws EvidenceStoreError `evidence-ended`: without it nothing that comes afterwards would be true */
  note(change: NotedChange): void {
    if (this.#waiting.notedOctets >= notedOctetsMax) {
      const message = `expected fewer changes of proxies and addresses at once: ${this.#waiting.notedOctets} octets wait already`;
      const hint = "restart the server when evidence.db can be written";
      throw new EvidenceStoreError("evidence-ended", message, { hint });
    }
    this.#waiting.add({ change, done: undefined });
  }

  /** As much as one transaction takes, and one change at least. */
  take(): readonly PendingChange[] {
    let rows = 0;
    return this.#waiting.take((change) => (rows += 1 + reportRows(change)) <= groupRowsMax);
  }

  /** It was not written, and comes first the next time. */
  putBack(group: readonly PendingChange[]): void {
    const later = this.#waiting.take(() => true);
    for (const pending of [...group, ...later]) this.#waiting.add(pending);
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
    for (const { done } of this.#waiting.take(() => true)) done?.reject(error);
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
