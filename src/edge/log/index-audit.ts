/** Checks the index of certificates against the entries that it was made of. */

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry, IntentEntry } from "../../core/log/entry.ts";
import { LogError } from "../../core/log/log-error.ts";
import { artifactNumbers, outcomeNumbers } from "./certificate-writer.ts";
import type { LogFault } from "./log-fault.ts";

type Row = Record<string, SQLOutputValue>;

export class IndexAudit {
  readonly #rows: StatementSync;
  readonly #result: StatementSync;
  readonly #size: number;
  #open = 0;

  /** @param size of the log that is audited; what came later does not count */
  constructor(database: DatabaseSync, size: number) {
    this.#size = size;
    this.#rows = database.prepare(
      "SELECT intent, serial, artifact, not_after_s, result, outcome, name, key_id" +
        " FROM certificates JOIN identities ON identities.id = certificates.identity" +
        " JOIN authorities ON authorities.id = certificates.authority" +
        " WHERE intent >= ? AND intent < ? ORDER BY intent",
    );
    this.#result = database.prepare("SELECT data FROM entries WHERE idx = ?");
  }

  /** How many rows of the audited log have no result. */
  get open(): number {
    return this.#open;
  }

  /** @returns what is wrong with the rows of these entries, which follow one another */
  fault(from: number, entries: readonly Entry[]): LogFault | undefined {
    const rows = this.#rows.all(from, from + entries.length);
    let next = 0;
    for (const [position, entry] of entries.entries()) {
      if (entry.kind !== "intent") continue;
      const row = rows[next++];
      if (row === undefined || !this.#matches(row, from + position, entry)) {
        return wrong(from, `the index does not have the certificate of entry ${from + position}`);
      }
    }
    if (next === rows.length) return undefined;
    return wrong(from, "the index has a certificate without an intent");
  }

  #matches(row: Row, index: number, intent: IntentEntry): boolean {
    return (
      row["intent"] === index &&
      row["serial"] instanceof Uint8Array &&
      equalBytes(row["serial"], intent.serial) &&
      row["artifact"] === artifactNumbers.indexOf(intent.artifact) &&
      row["not_after_s"] === Math.floor(intent.notAfterMs / 1_000) &&
      row["name"] === intent.identity &&
      row["key_id"] === intent.authority &&
      this.#matchesResult(row, index)
    );
  }

  #matchesResult({ result, outcome }: Row, intentIndex: number): boolean {
    if (result === null || Number(result) >= this.#size) {
      this.#open += 1;
      return true;
    }
    const data = this.#result.get(Number(result))?.["data"];
    const entry = data instanceof Uint8Array ? decode(data) : undefined;
    return (
      entry?.kind === "result" &&
      entry.intentIndex === intentIndex &&
      outcome === outcomeNumbers.indexOf(entry.outcome)
    );
  }
}

/** Of an entry that has not been audited yet. */
function decode(data: Uint8Array): Entry | undefined {
  try {
    return decodeEntry(data);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

function wrong(index: number, message: string): LogFault {
  return { index, code: "index-wrong", message };
}
