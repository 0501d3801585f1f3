/** Authorities as the trust state has them: who signs, who did, and with which keys. */

export const signerIdsMax = 16;
export const retiredSignerIdsMax = 4;
export const retiredMax = 8;

/** One that is retired is no authority any more: see `RetiredAuthority`. */
export type AuthorityState = "prepared" | "active" | "retiring";

export interface AuthorityRecord {
  /** Lower-case hex of the subject key identifier; names the signing key in the store. */
  readonly id: string;
  readonly state: AuthorityState;
  /** When it came into this state; 0 where an older version wrote it. */
  readonly sinceMs: number;
  /** The signing certificate, then its intermediates up to but without the root; DER. */
  readonly chain: readonly Uint8Array[];
  /** Of no other authority. */
  readonly root: Uint8Array;
  /** "external": in the operator's files or in an HSM, and read anew at each start. */
  readonly key: "store" | "external";
  /**
   * Key IDs under which the log has what was signed for this root, newest first: a leaf hangs on the root if its intent has
   * one of them. Not empty, at most `signerIdsMax`, and of no other authority. An older one is forgotten: unknown signers
   * count as anybody's.
   */
  readonly signerIds: readonly string[];
  /** It came by a change of the operator's files: the server goes on by itself as gates open. */
  readonly auto: boolean;
}

/** No longer in the bundle, its key destroyed. */
export interface RetiredAuthority {
  readonly id: string;
  /** Of its root; lower-case hex. */
  readonly rootSha256: string;
  readonly atMs: number;
  readonly compromised: boolean;
  /** The newest that it had, `retiredSignerIdsMax` at most: what they signed hangs on no root of the bundle. */
  readonly signerIds: readonly string[];
  /** Everybody holds a bundle without it. Kept then: files that still have it must not bring it back. */
  readonly confirmed: boolean;
}

/** Signs JWT-SVIDs. It has no certificate: whoever verifies has its key from the bundle. */
export interface JwtAuthorityRecord {
  /** The `kid` of what it signs; names the signing key in the store. */
  readonly keyId: string;
  readonly state: AuthorityState | "retired";
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** An authority that has not been trusted yet. */
export type NewAuthority = Omit<AuthorityRecord, "state" | "sinceMs">;
