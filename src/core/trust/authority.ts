/** Authorities as the trust state has them: who signs, who did, and with which key. */

export const retiredMax = 8;
/** Keys that an authority had before. */
export const formerKeysMax = 4;
/** Keys of a compromised authority, beside the signing one: of its root, of some intermediates, and all former ones. */
export const compromisedKeysMax = 8;

/** One that is retired is no authority any more: see `RetiredAuthority`. */
export type AuthorityState = "prepared" | "active" | "retiring";

export interface AuthorityRecord {
  /**
   * The signing key's own identifier (`subjectKeyIdentifier`), lower-case hex, whatever its certificate says: names the key in
   * the store, and is what the log has of a signature.
   */
  readonly id: string;
  readonly state: AuthorityState;
  /** When it came into this state; 0 where an older version wrote it. */
  readonly sinceMs: number;
  /** The signing certificate, then its intermediates up to but without the root; DER. */
  readonly chain: readonly Uint8Array[];
  /** Of the chains that it had before under this root, the newest first; `formerKeysMax` at most. */
  readonly formerKeyIds: readonly string[];
  /** Of no other authority. */
  readonly root: Uint8Array;
  /** "external": in the operator's files or in an HSM, and read anew at each start. */
  readonly key: "store" | "external";
  /** It came by a change of the operator's files: the server goes on by itself as gates open. */
  readonly auto: boolean;
  /** Somebody else had this CA before, and has signed under its root what nobody here sees. Absent for no. */
  readonly adopted?: true;
}

/** No longer in the bundle, its key destroyed. */
export interface RetiredAuthority {
  readonly id: string;
  /** Of its root; lower-case hex. */
  readonly rootSha256: string;
  readonly atMs: number;
  readonly compromised: boolean;
  /** Of one that was compromised, further keys that nobody is to trust: root's first; `compromisedKeysMax` at most. */
  readonly keyIds: readonly string[];
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
export type NewAuthority = Omit<AuthorityRecord, "state" | "sinceMs" | "formerKeyIds">;

export function inState(
  authority: NewAuthority & Partial<AuthorityRecord>,
  state: AuthorityState,
  sinceMs: number,
): AuthorityRecord {
  const { formerKeyIds = Object.freeze([]) } = authority;
  return Object.freeze({ ...authority, formerKeyIds, state, sinceMs });
}
