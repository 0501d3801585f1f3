/** Copies of an operator's keys in the store: under the authority's ID, which an operator's certificate may have from anywhere. */

import { createPublicKey, type KeyObject } from "node:crypto";
import { equalBytes } from "../../../core/bytes.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { NewAuthority } from "../../../core/trust/authority.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";

export class AuthorityError extends PortcullisError<"authority-directory" | "authority-key"> {
  override name = "AuthorityError";
}

/**
 * Whether the store has the key of an authority under its ID.
 * @throws AuthorityError `authority-key` where it has another one there; what `findKey` throws
 */
export function isKept(
  store: Pick<Store, "findKey">,
  { id, chain, root }: Pick<NewAuthority, "id" | "chain" | "root">,
): boolean {
  const stored = store.findKey(id);
  if (stored === undefined) return false;
  if (isKeyOf(stored, parseCertificate(chain[0] ?? root).spki)) return true;
  throw new AuthorityError("authority-key", `expected the key of ${id}, the store has another`, {
    hint: "give the CA a subject key identifier of its own",
  });
}

export function copyOf(id: string, key: KeyObject): NewSigningKey {
  return { id, privateKeyPkcs8: key.export({ format: "der", type: "pkcs8" }) };
}

function isKeyOf(key: KeyObject, spki: Uint8Array): boolean {
  return equalBytes(createPublicKey(key).export({ format: "der", type: "spki" }), spki);
}
