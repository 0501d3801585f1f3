/**
 * The keys of an authority. Who trusts a certificate of a key trusts whatever that key has signed: a leak takes each key with it
 * on the way from the signing one to the root, whichever certificate it comes back by.
 */

import { parseCertificate } from "../x509/certificate.ts";
import { keyIdOf } from "../x509/signer.ts";
import type { AuthorityRecord, NewAuthority, RetiredAuthority } from "./authority.ts";

/** Of a certificate (DER), as `AuthorityRecord` names a key. */
export type CertificateKeyId = (certificate: Uint8Array) => string;

/** @throws CertificateError, DerError */
export const certificateKeyId: CertificateKeyId = (certificate) =>
  keyIdOf(parseCertificate(certificate).spki);

/** By its own name, whatever its certificate calls it. @throws CertificateError, DerError */
export function signingKeyId({ chain, root }: Pick<NewAuthority, "chain" | "root">): string {
  return certificateKeyId(chain[0] ?? root);
}

/** The signing one, its root's, and those of the intermediates between them. */
export function keysOf(
  { id, chain, root }: Pick<NewAuthority, "id" | "chain" | "root">,
  keyIdOf: CertificateKeyId,
): readonly string[] {
  return [...new Set([id, keyIdOf(root), ...chain.slice(1).map(keyIdOf)])];
}

/** And those that it had before: a certificate of one of them may be valid still. */
export function allKeysOf(
  authority: AuthorityRecord,
  keyIdOf: CertificateKeyId,
): readonly string[] {
  return [...new Set([...keysOf(authority, keyIdOf), ...authority.formerKeyIds])];
}

/** The first of them that is distrusted for one of these keys. */
export function compromisedBy(
  retired: readonly RetiredAuthority[],
  keyIds: readonly string[],
): RetiredAuthority | undefined {
  return retired.find(
    (each) => each.compromised && [each.id, ...each.keyIds].some((key) => keyIds.includes(key)),
  );
}
