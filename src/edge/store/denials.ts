/**
 * The deny list at rest: a row for each denial, and the list's own sequence. The trust state has the digest of both, and
 * changes with them in one transaction, so that a list that was lost or changed by hand is noticed at the start.
 */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import type { Denial } from "../../core/deny/denial.ts";
import { DenyList } from "../../core/deny/deny-list.ts";
import { targetKey, type DenyTarget } from "../../core/deny/deny-target.ts";
import { withDenyList, type TrustState } from "../../core/trust/trust-state.ts";
import { durableTransaction } from "./durable.ts";
import { StoreError, unreadable } from "./store-error.ts";
import { readTrustState, updateTrustState } from "./trust-table.ts";

type Row = Record<string, SQLOutputValue>;

export class StoredDenials {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** @throws StoreError `store-denials-changed`, `store-unreadable`; DenyListError `deny-list-malformed`; TrustStateError */
  load(): DenyList {
    const { sequence, rows } = this.#read();
    const list = DenyList.of(sequence, rows.map(denialOf));
    const expected = readTrustState(this.#database)?.denyDigest ?? DenyList.empty.digest();
    assertDigest(list, expected);
    return list;
  }

  /**
   * Durable when it returns, with the trust state that goes with it.
   * @param before what is stored
   * @param after what follows from it
   * @throws StoreError `store-denials-changed` when something else is stored; whatever SQLite throws
   */
  replace(before: DenyList, after: DenyList): TrustState {
    return durableTransaction(this.#database, "denials-change", () => {
      const state = readTrustState(this.#database);
      if (state === undefined) throw changed("a trust state to deny anything in", "none");
      assertDigest(before, state.denyDigest);
      this.#writeRows(before, after);
      const next = withDenyList(state, after);
      updateTrustState(this.#database, next);
      return next;
    });
  }

  /** In the transaction of the trust state that has its digest. @param list of another store */
  adopt(list: DenyList): void {
    this.#database.exec("DELETE FROM denials");
    this.#writeRows(DenyList.empty, list);
  }

  #read(): { readonly sequence: number; readonly rows: readonly Row[] } {
    try {
      const list = this.#database.prepare("SELECT sequence FROM deny_list").get();
      const rows = this.#database.prepare("SELECT * FROM denials ORDER BY sequence").all();
      return { sequence: Number(list?.["sequence"]), rows };
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  #writeRows(before: DenyList, after: DenyList): void {
    const kept = new Set(after.denials.map(({ sequence }) => sequence));
    const known = new Set(before.denials.map(({ sequence }) => sequence));
    const remove = this.#database.prepare("DELETE FROM denials WHERE sequence = ?");
    for (const sequence of known) if (!kept.has(sequence)) remove.run(sequence);
    const insert = this.#database.prepare("INSERT INTO denials VALUES (?, ?, ?, ?, ?, ?, ?)");
    for (const denial of after.denials) {
      if (known.has(denial.sequence)) continue;
      const { sequence, target, reason, operator, createdAtMs, untilMs = null } = denial;
      const { kind } = target;
      insert.run(sequence, kind, targetKey(target), reason, operator, createdAtMs, untilMs);
    }
    this.#database.prepare("UPDATE deny_list SET sequence = ?").run(after.sequence);
  }
}

/** What is in it is judged by `DenyList.of`. */
function denialOf(row: Row): Denial {
  const untilMs = row["until_ms"];
  return {
    sequence: Number(row["sequence"]),
    target: targetOf(row["kind"], String(row["target"])),
    reason: String(row["reason"]),
    operator: String(row["operator"]),
    createdAtMs: Number(row["created_at_ms"]),
    ...(untilMs !== null && { untilMs: Number(untilMs) }),
  };
}

function targetOf(kind: SQLOutputValue | undefined, target: string): DenyTarget {
  return kind === "identity" ? { kind, id: target } : { kind: "serial", serialHex: target };
}

function assertDigest(list: DenyList, expected: Uint8Array): void {
  const digest = list.digest();
  if (equalBytes(digest, expected)) return;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  throw changed(`the deny list ${hex(expected)} of the trust state`, hex(digest));
}

function changed(expected: string, got: string): StoreError {
  return new StoreError("store-denials-changed", `expected ${expected}, got ${got}`, {
    hint: "restore portcullis.db from a backup: somebody who was denied may be denied no more",
  });
}
