/** Whether what is in the Secret can take the place of a data directory: all that it needs is there, can be read, and is of this mesh. */

import { createPublicKey, hash } from "node:crypto";
import { equalBytes } from "../../../../core/bytes.ts";
import type { DenyList } from "../../../../core/deny/deny-list.ts";
import type { TrustDomain } from "../../../../core/spiffe/id.ts";
import type { TrustState } from "../../../../core/trust/trust-state.ts";
import { keyIdOf } from "../../../../core/x509/signer.ts";
import { decodeDenials } from "../../../../edge/kube/trust/packed-denials.ts";
import type { SecretContent } from "../../../../edge/kube/trust/trust-secret-object.ts";
import { readKey } from "../../../../edge/store/key-at-rest.ts";
import { StoreError } from "../../../../edge/store/store.ts";
import { incomplete, ofAnotherDomain, type SecretPlace } from "./trust-secret-error.ts";

export interface Adopter {
  readonly place: SecretPlace;
  readonly trustDomain: TrustDomain;
  /** Of the store's keys. */
  readonly passphrase: Uint8Array | undefined;
}

/**
 * @returns its deny list
 * @throws TrustSecretError `trust-secret-foreign`, `trust-secret-incomplete`; StoreError where a passphrase is missing or is another
 */
export function readAdoptable(content: SecretContent, adopter: Adopter): DenyList {
  const { record, keys, denials } = content;
  const { state } = record;
  const { place, trustDomain, passphrase } = adopter;
  if (!state.trustDomain.equals(trustDomain)) {
    throw ofAnotherDomain(place, state.trustDomain.name, trustDomain.name);
  }
  const list = decodeDenials(denials);
  if (!equalBytes(list.digest(), state.denyDigest)) {
    throw incomplete(place, "its deny list is missing, or is not that of its trust state");
  }
  const missing = neededKeys(state).find((id) => !keys.has(id));
  if (missing !== undefined) throw incomplete(place, `the key of ${missing} is missing`);
  for (const [id, key] of keys) assertKey(place, id, key, passphrase);
  return list;
}

function neededKeys({ authorities, jwtAuthorities }: TrustState): readonly string[] {
  const stored = authorities.filter(({ key }) => key === "store").map(({ id }) => id);
  const jwt = jwtAuthorities.filter(({ state }) => state === "active").map(({ keyId }) => keyId);
  return [...stored, ...jwt];
}

/** Its ID is made of its public half. */
function assertKey(
  place: SecretPlace,
  id: string,
  key: Uint8Array,
  passphrase: Uint8Array | undefined,
): void {
  let spki: Uint8Array;
  try {
    spki = createPublicKey(readKey(key, passphrase)).export({ format: "der", type: "spki" });
  } catch (cause) {
    throw new StoreError(
      passphrase === undefined ? "store-key-encrypted" : "store-passphrase-wrong",
      `the key of ${id} in Secret ${place.namespace}/${place.name} cannot be read`,
      { cause, hint: "give the --key-passphrase-file that the Secret was written with" },
    );
  }
  const isIts = keyIdOf(spki) === id || hash("sha256", spki, "base64url") === id;
  if (!isIts) throw incomplete(place, `the key of ${id} is another one`);
}
