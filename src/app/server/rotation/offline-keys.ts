/**
 * Keys that are made here and whose certificate an offline root signs: they lie in the store under their ID until it comes,
 * or until so many newer ones have been made that nobody can be waiting for it.
 */

import { createPublicKey } from "node:crypto";
import type { NewAuthority, TrustState } from "../../../core/trust/trust-state.ts";
import { createCaCsr } from "../../../core/x509/ca-csr.ts";
import { encodePem } from "../../../core/x509/pem.ts";
import { softwareSigner } from "../../../core/x509/signer.ts";
import { makeKey } from "../../../edge/ca/key-file.ts";
import type { RootKeyType } from "../../../edge/config/server-settings.ts";
import type { Store } from "../../../edge/store/store.ts";

const keptMax = 8;

type OfflineStore = Pick<Store, "facts" | "keepKey" | "destroyKeys">;

/** Durable when it returns. @returns the request, PEM */
export function makeOfflineKey(
  store: OfflineStore,
  { trustDomain, authorities }: TrustState,
  keyType: RootKeyType,
  nowMs: number,
): { readonly id: string; readonly csr: string } {
  const key = makeKey(keyType);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const signer = softwareSigner(key, spki);
  const csr = encodePem(createCaCsr(trustDomain.name, signer), "CERTIFICATE REQUEST");
  const ids = [...offlineKeyIds(store), signer.id];
  // Named first: a key that nobody knows of would stay for ever.
  store.facts.remember("offline-keys", ids.join(" "));
  const privateKeyPkcs8 = key.export({ format: "der", type: "pkcs8" });
  store.keepKey({ id: signer.id, privateKeyPkcs8 }, nowMs);
  const old = ids.slice(0, -keptMax);
  if (old.length > 0) {
    // A server that ended in the middle of a command may not have taken it off the list.
    const inUse = new Set(authorities.map((authority) => authority.id));
    store.destroyKeys(old.filter((id) => !inUse.has(id)));
    store.facts.remember("offline-keys", ids.slice(-keptMax).join(" "));
  }
  return { id: signer.id, csr };
}

/** It is an authority's now. */
export function takeOfflineKey(
  store: Pick<Store, "facts">,
  { id }: Pick<NewAuthority, "id">,
): void {
  const waiting = offlineKeyIds(store);
  if (!waiting.includes(id)) return;
  const left = waiting.filter((each) => each !== id);
  store.facts.remember("offline-keys", left.join(" "));
}

function offlineKeyIds({ facts }: Pick<Store, "facts">): readonly string[] {
  return (facts.recall("offline-keys") ?? "").split(" ").filter((id) => id !== "");
}
