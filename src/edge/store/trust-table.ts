/** The one row of the trust state. Whoever changes it does so in a transaction of its own making. */

import type { DatabaseSync } from "node:sqlite";
import { encodeTrustState, parseTrustState } from "../../core/trust/trust-state-codec.ts";
import type { TrustState } from "../../core/trust/trust-state.ts";
import { StoreError } from "./store-error.ts";

/** Undefined in a directory that has never had one. @throws TrustStateError; whatever SQLite throws */
export function readTrustState(database: DatabaseSync): TrustState | undefined {
  const row = database.prepare("SELECT epoch, document FROM trust_state").get();
  if (row === undefined) return undefined;
  return parseTrustState(Number(row["epoch"]), String(row["document"]));
}

/** @throws TrustStateError; whatever SQLite throws, also where there is one already */
export function insertTrustState(database: DatabaseSync, state: TrustState): void {
  database
    .prepare("INSERT INTO trust_state (id, epoch, document) VALUES (1, ?, ?)")
    .run(state.epoch, encodeTrustState(state));
}

/** Whatever is there. @throws TrustStateError; whatever SQLite throws */
export function overwriteTrustState(database: DatabaseSync, state: TrustState): void {
  database
    .prepare("INSERT OR REPLACE INTO trust_state (id, epoch, document) VALUES (1, ?, ?)")
    .run(state.epoch, encodeTrustState(state));
}

/** @throws StoreError `store-epoch` unless the stored one is that of the epoch before; TrustStateError */
export function updateTrustState(database: DatabaseSync, state: TrustState): void {
  const { changes } = database
    .prepare("UPDATE trust_state SET epoch = ?, document = ? WHERE epoch = ?")
    .run(state.epoch, encodeTrustState(state), state.epoch - 1);
  if (changes === 1) return;
  throw new StoreError("store-epoch", `expected the trust state of epoch ${state.epoch - 1}`);
}
