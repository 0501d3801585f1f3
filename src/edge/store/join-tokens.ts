/**
 * Join tokens that were not used yet: digest, identity, end. A token leaves the table in the
 * transaction that finds it, and that is durable before its bearer gets anything; whatever happens
 * afterwards, it is lost and never good again.
 */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { JoinTokenError, type JoinGrant } from "../../core/identity/join-token.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { durableTransaction } from "./durable.ts";

/** A table for ever full would keep honest operators out, one without bound fill the disk. */
const OPEN_MAX = 10_000;

export class JoinTokens {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws JoinTokenError `join-tokens-full`; whatever SQLite throws */
  add({ digest, id, expiresAtMs }: JoinGrant, nowMs: number): void {
    durableTransaction(this.#database, "join-token-add", () => {
      this.#deleteExpired(nowMs);
      const { open } =
        this.#database.prepare("SELECT count(*) AS open FROM join_tokens").get() ?? {};
      if (Number(open) >= OPEN_MAX) {
        const message = `expected fewer than ${OPEN_MAX} unused join tokens`;
        throw new JoinTokenError("join-tokens-full", message, {
          hint: "wait until some have expired, and make fewer or shorter ones",
        });
      }
      this.#database
        .prepare("INSERT INTO join_tokens (digest, spiffe_id, expires_at_ms) VALUES (?, ?, ?)")
        .run(digest, id.toString(), expiresAtMs);
    });
  }

  /**
   * Takes the token away, expired or not, and says what it was for. Undefined for one that is not
   * there: never made, or used before.
   */
  take(digest: Uint8Array): JoinGrant | undefined {
    return durableTransaction(this.#database, "join-token-take", () => {
      const [row, second] = this.#database
        .prepare("DELETE FROM join_tokens WHERE digest = ? RETURNING spiffe_id, expires_at_ms")
        .all(digest);
      if (second !== undefined) throw new Error("expected one row of a join token, got several");
      return row === undefined ? undefined : { digest, ...grantOf(row) };
    });
  }

  /** Forgets those that have expired. */
  prune(nowMs: number): void {
    durableTransaction(this.#database, "join-token-prune", () => this.#deleteExpired(nowMs));
  }

  #deleteExpired(nowMs: number): void {
    this.#database.prepare("DELETE FROM join_tokens WHERE expires_at_ms <= ?").run(nowMs);
  }
}

function grantOf(row: Record<string, SQLOutputValue>): Omit<JoinGrant, "digest"> {
  const id = SpiffeId.parse(String(row["spiffe_id"]));
  return { id, expiresAtMs: Number(row["expires_at_ms"]) };
}
