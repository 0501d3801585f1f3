/**
 * Keys of the operator's files that are in them no more, and may sign all the same: copied into the store, in one change with
 * what makes them needed there. Memory alone would lose them at the next start.
 */

import type { KeyObject } from "node:crypto";
import type { AuthorityRecord, TrustState } from "../../../core/trust/trust-state.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";
import { keySource } from "../open-trust.ts";
import type { Trust } from "../trust.ts";

interface Kept {
  readonly state: TrustState;
  readonly keys: readonly NewSigningKey[];
}

/**
 * Of who signs in `state`, and who did and may again. What is prepared waits for its files; a token's key stays in it.
 * @param filedId which authority the files are of, as they are on disk
 * @param current what runs: has keys of the files that were there before
 * @returns `state` itself where there is nothing to be kept
 * @throws StoreError
 */
export function keepKeys(
  store: Pick<Store, "hasKey" | "signingKey">,
  state: TrustState,
  filedId: string | undefined,
  current: Pick<Trust, "plugged" | "authorityParts">,
): Kept {
  const keys = new Map<string, readonly NewSigningKey[]>();
  for (const each of state.authorities) {
    if (each.key === "store" || each.state === "prepared" || each.id === filedId) continue;
    const key = keyInHand(store, each, current);
    if (key !== undefined) keys.set(each.id, copyToKeep(store, each.id, key));
  }
  if (keys.size === 0) return { state, keys: [] };
  const authorities = state.authorities.map((each) =>
    keys.has(each.id) ? Object.freeze({ ...each, key: "store" as const }) : each,
  );
  const kept = Object.freeze({ ...state, authorities: Object.freeze(authorities) });
  return { state: kept, keys: [...keys.values()].flat() };
}

function keyInHand(
  store: Pick<Store, "signingKey">,
  authority: AuthorityRecord,
  { plugged, authorityParts }: Pick<Trust, "plugged" | "authorityParts">,
): KeyObject | undefined {
  const source = keySource(store, { caKey: undefined }, authority, plugged, authorityParts);
  return source?.kind === "software" ? source.key : undefined;
}

/** @returns none where the store has it already. @throws StoreError */
export function copyToKeep(
  store: Pick<Store, "hasKey">,
  id: string,
  key: KeyObject,
): readonly NewSigningKey[] {
  if (store.hasKey(id)) return [];
  return [{ id, privateKeyPkcs8: key.export({ format: "der", type: "pkcs8" }) }];
}
