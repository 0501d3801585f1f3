/**
 * How many lives the proxies of an identity may have: one that relabels its proxies, or makes them up, makes one each time. Beyond, the
 * oldest that is over becomes part of one of which nothing was told, and nothing is SAFE where that one was: a life is never just
 * forgotten.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { IdentityShares } from "./identity-shares.ts";

/** Of proxies that are there an identity has 5,000 at most. */
const livesPerIdentityMax = 16_384;

/** No proxy has such a key. */
const foldedProxy = "";
/** Of those whose labels nobody has said. */
const untoldProxy = " ";
/** However short it was: of what is shorter than a few seconds nobody expects to hear. */
const moreMs = 60_000;

export class FoldedLives {
  readonly #shares: IdentityShares;
  /** How many there are, by identity; those that are known. */
  readonly #counts = new Map<string, number>();
  readonly #count: StatementSync;
  readonly #oldest: StatementSync;
  readonly #folded: StatementSync;
  readonly #insert: StatementSync;
  readonly #extend: StatementSync;
  readonly #deletions: readonly StatementSync[];

  constructor(database: DatabaseSync, shares: IdentityShares) {
    this.#shares = shares;
    this.#count = database.prepare("SELECT count(*) AS count FROM members WHERE spiffe_id = ?");
    this.#oldest = database.prepare(
      `SELECT * FROM members WHERE spiffe_id = ? AND gone_ms IS NOT NULL AND proxy NOT IN ('${foldedProxy}', '${untoldProxy}')` +
        " ORDER BY gone_ms LIMIT 1",
    );
    // By the index of proxies (https://www.sqlite.org/optoverview.html#uplus): an identity may have many lives.
    this.#folded = database.prepare("SELECT id FROM members WHERE proxy = ? AND +spiffe_id = ?");
    this.#insert = database.prepare(
      "INSERT INTO members (proxy, reporter, spiffe_id, namespace, name, labels, born_ms, gone_ms)" +
        " VALUES (?, '', ?, ?, ?, ?, ?, ?)",
    );
    this.#extend = database.prepare(
      "UPDATE members SET labels = iif(labels = ?, labels, ''), born_ms = min(born_ms, ?), gone_ms = max(gone_ms, ?)" +
        " WHERE id = ?",
    );
    this.#deletions = [
      "DELETE FROM hours WHERE caller IN (SELECT id FROM callers WHERE member = ?)",
      "DELETE FROM callers WHERE member = ?",
      "DELETE FROM spans WHERE member = ?",
      "DELETE FROM members WHERE id = ?",
    ].map((sql) => database.prepare(sql));
  }

  /** Some are not there any more. */
  forget(): void {
    this.#counts.clear();
  }

  /**
   * There is one more.
   * @param isThere whether a proxy is there, under other labels by now: then its callers may be anybody's
   */
  added(spiffeId: string, atMs: number, isThere: (proxy: string) => boolean): void {
    const before = this.#counts.get(spiffeId);
    const count = before === undefined ? this.#countOf(spiffeId) : before + 1;
    const isBeyond = count > livesPerIdentityMax || this.#shares.isFull(spiffeId);
    const isFolded = isBeyond && this.#foldOldest(spiffeId, isThere);
    this.#counts.set(spiffeId, isFolded ? count - 1 : count);
    if (isFolded) this.#shares.bounded(spiffeId, "lives", atMs);
  }

  #countOf(spiffeId: string): number {
    return Number(this.#count.get(spiffeId)?.["count"]);
  }

  /** @returns whether there was one that is over */
  #foldOldest(spiffeId: string, isThere: (proxy: string) => boolean): boolean {
    const oldest = this.#oldest.get(spiffeId);
    if (oldest === undefined) return false;
    const bornMs = Number(oldest["born_ms"]);
    const goneMs = Number(oldest["gone_ms"]) + moreMs;
    const isUntold = oldest["labels"] === "";
    const labels = isThere(String(oldest["proxy"])) ? "" : String(oldest["labels"]);
    const proxy = isUntold ? untoldProxy : foldedProxy;
    const folded = this.#folded.get(proxy, spiffeId)?.["id"];
    if (folded === undefined) {
      const named = [String(oldest["namespace"]), String(oldest["name"])] as const;
      this.#insert.run(proxy, spiffeId, ...named, labels, bornMs, goneMs);
    } else this.#extend.run(labels, bornMs, goneMs, folded);
    for (const deletion of this.#deletions) deletion.run(Number(oldest["id"]));
    return true;
  }
}
