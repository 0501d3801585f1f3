/** Where the log records its restores: kept in `portcullis.db`, because a long log is not searched for them at each start. */

import { isRecordOf, type RestoredState } from "../../core/backup/restored-start.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { findRestored } from "../../core/log/restored.ts";
import type { LogReader, StoredEntry } from "../../edge/log/log-reader.ts";

export interface RestoreRecordsDependencies {
  readonly reader: Pick<LogReader, "entry" | "entries">;
  readonly recall: () => string | undefined;
  /** Durable when it returns. */
  readonly remember: (text: string) => void;
}

/** Little else is added to the log before a restore is settled. */
const searchedMax = 4_096;
/** More than ever matter: an agent is shown the newest that it has not seen. */
const keptMax = 64;

export class RestoreRecords {
  readonly #dependencies: RestoreRecordsDependencies;

  constructor(dependencies: RestoreRecordsDependencies) {
    this.#dependencies = dependencies;
  }

  /** The oldest first; without those that were pruned. */
  list(): readonly StoredEntry[] {
    return this.#places().flatMap((index) => {
      const data = this.#dependencies.reader.entry(index);
      return data === undefined ? [] : [{ index, data }];
    });
  }

  /** Looks for those of one restore, also of a start that did not come to its end. @returns whether there is any */
  find(state: RestoredState): boolean {
    const { reader } = this.#dependencies;
    const found = [...reader.entries(state.backup.checkpoint.size, searchedMax)]
      .filter(({ data }) => isRecordOf(state, decodeEntry(data)))
      .map(({ index }) => index);
    this.#keep(found);
    return found.length > 0;
  }

  /** @param index of one that was added to the log */
  add(index: number): void {
    this.#keep([index]);
  }

  #keep(found: readonly number[]): void {
    const known = this.#places();
    const all = [...new Set([...known, ...found])].toSorted((a, b) => a - b);
    if (all.length === known.length) return;
    this.#dependencies.remember(JSON.stringify(all.slice(-keptMax)));
  }

  #places(): readonly number[] {
    const list: unknown = JSON.parse(this.#dependencies.recall() ?? "[]");
    return Array.isArray(list) ? list.filter((each) => typeof each === "number") : [];
  }
}

/**
 * Until when something may be valid that they say is in no entry of the log; 0 for nothing. Unix ms.
 * @param madeMs of what it would hang on: nothing that was lost before hangs on that
 */
export function lostUntilMs(restores: readonly StoredEntry[], madeMs: number = 0): number {
  const ends = restores.map(({ data }) => {
    const entry = decodeEntry(data);
    return entry.timeMs < madeMs ? 0 : (findRestored(entry)?.possibleUntilMs ?? 0);
  });
  return Math.max(0, ...ends);
}
