/**
 * What a bundle is confirmed by: its roots, whatever its sequence is. A store that was restored from a backup gives a
 * sequence twice, and a key for JWT-SVIDs more is no reason to ask every proxy again.
 */

import { hash } from "node:crypto";

/** As the log and the trust state name a root. @param root DER @returns lower-case hex */
export function rootSha256(root: Uint8Array): string {
  return hash("sha256", root, "hex");
}

/** @returns SHA-256 over the SHA-256 of each root (DER), these in ascending order; lower-case hex */
export function rootsDigest(roots: readonly Uint8Array[]): string {
  const digests = roots.map(rootSha256).toSorted();
  return hash("sha256", Buffer.from(digests.join(""), "hex"), "hex");
}
