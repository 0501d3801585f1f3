/**
 * Reads a log from its first entry to its last and says the first thing in it that cannot be: an entry that is none, a time
 * that goes back, a serial that comes twice, a result that has no intent. Its root is for comparison with a checkpoint.
 */

import { decodeEntry } from "./entry-codec.ts";
import type { Entry, IntentEntry, ResultEntry } from "./entry.ts";
import { IndexRanges, type IndexRange } from "./index-ranges.ts";
import { LogError } from "./log-error.ts";
import { Frontier, leafHash } from "./merkle.ts";
import { SerialTable } from "./serial-table.ts";

export type AuditFaultCode =
  | "index-out-of-order"
  | "entry-malformed"
  | "time-backwards"
  | "serial-reused"
  | "result-without-intent"
  | "result-of-another-intent"
  | "result-repeated"
  | "result-inconsistent";

export interface AuditFault {
  readonly index: number;
  readonly code: AuditFaultCode;
  readonly message: string;
}

export interface AuditSummary {
  readonly size: number;
  readonly root: Uint8Array;
  readonly counts: Readonly<Record<Entry["kind"], number>>;
  /** Indices of the intents that have no result. */
  readonly openIntents: readonly number[];
  /** What was skipped. Whether it was pruned by right, the events of the log say. */
  readonly skipped: readonly IndexRange[];
}

export class LogAuditor {
  readonly #frontier = Frontier.of(0, []);
  readonly #serials = new SerialTable();
  readonly #skipped = new IndexRanges();
  readonly #counts = { intent: 0, result: 0, refusals: 0, event: 0 };
  #timeMs = 0;
  #fault: AuditFault | undefined;

  /** The next entry. @returns the first fault, from then on for ever, or undefined */
  take(index: number, bytes: Uint8Array): AuditFault | undefined {
    if (!this.#isNext(index)) return this.#fault;
    const entry = this.#decode(index, bytes);
    if (entry === undefined) return this.#fault;
    if (entry.timeMs < this.#timeMs) {
      const back = `expected a time from ${this.#timeMs} on, got ${entry.timeMs}`;
      return this.#fail(index, "time-backwards", back);
    }
    this.#timeMs = entry.timeMs;
    if (entry.kind === "intent") this.#takeIntent(index, entry);
    if (entry.kind === "result") this.#takeResult(index, entry);
    if (this.#fault !== undefined) return this.#fault;
    this.#counts[entry.kind] += 1;
    this.#frontier.append(leafHash(bytes));
    return undefined;
  }

  /** The next entry, of which pruning has left the leaf hash. @returns as `take` does */
  skip(index: number, leaf: Uint8Array): AuditFault | undefined {
    if (!this.#isNext(index)) return this.#fault;
    this.#skipped.add(index);
    this.#frontier.append(leaf);
    return undefined;
  }

  /** Of what came before the first fault. */
  finish(): AuditSummary {
    return {
      size: this.#frontier.size,
      root: this.#frontier.root(),
      counts: { ...this.#counts },
      openIntents: this.#serials.openIndices(),
      skipped: this.#skipped.ranges,
    };
  }

  #isNext(index: number): boolean {
    if (this.#fault !== undefined) return false;
    if (index === this.#frontier.size) return true;
    this.#fail(index, "index-out-of-order", `expected entry ${this.#frontier.size}, got ${index}`);
    return false;
  }

  #decode(index: number, bytes: Uint8Array): Entry | undefined {
    try {
      return decodeEntry(bytes);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.#fail(index, "entry-malformed", error.message);
      return undefined;
    }
  }

  #takeIntent(index: number, { serial }: IntentEntry): void {
    if (this.#serials.add(serial, index)) return;
    const first = this.#serials.intentIndex(this.#serials.find(serial));
    this.#fail(
      index,
      "serial-reused",
      `expected a new serial, got ${hex(serial)} of entry ${first}`,
    );
  }

  #takeResult(index: number, { intentIndex, serial, ...result }: ResultEntry): void {
    const record = this.#serials.find(serial);
    if (record < 0) {
      if (this.#skipped.has(intentIndex)) return;
      const expected = `expected an intent ${intentIndex} with serial ${hex(serial)}, got none`;
      this.#fail(index, "result-without-intent", expected);
    } else if (this.#serials.intentIndex(record) !== intentIndex) {
      const actual = this.#serials.intentIndex(record);
      const expected = `expected intent ${actual} by its serial ${hex(serial)}, got ${intentIndex}`;
      this.#fail(index, "result-of-another-intent", expected);
    } else if (!this.#serials.close(record)) {
      this.#fail(index, "result-repeated", `expected one result of intent ${intentIndex}, got two`);
    }
    const isSigned = result.outcome === "signed";
    if (isSigned !== result.certificateDigest.length > 0 || isSigned !== (result.reason === "")) {
      const expected = `expected a digest exactly if signed, a reason exactly if not`;
      this.#fail(index, "result-inconsistent", `${expected}, got ${result.outcome}`);
    }
  }

  #fail(index: number, code: AuditFaultCode, message: string): AuditFault {
    this.#fault ??= { index, code, message };
    return this.#fault;
  }
}

function hex(serial: Uint8Array): string {
  return Buffer.from(serial).toString("hex");
}
