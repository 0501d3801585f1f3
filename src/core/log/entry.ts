/**
 * What the transparency log holds: what is about to be signed (intent), what came of it (result), who was refused
 * (counted), and what changed or was commanded (event). Values only; `entry-codec.ts` has the bytes, docs/log.md the
 * format. Never a token, a key or a CSR.
 */

export type Entry = IntentEntry | ResultEntry | RefusalsEntry | EventEntry;

/** "canary": for handshakes that prove a root before anything else is signed under it. */
export type Artifact = "workload" | "serving" | "jwt" | "canary";

/** Written before a signature is made: what is not in the log is not signed. */
export interface IntentEntry {
  readonly kind: "intent";
  readonly timeMs: number;
  readonly artifact: Artifact;
  readonly requestId: string;
  /** A SPIFFE ID; DNS names joined by "," for a serving certificate. */
  readonly identity: string;
  /** The signing key's ID in lower-case hex, of 1 to 32 octets. */
  readonly authority: string;
  /** Magnitude of 1 to 20 octets, without a leading zero octet. For a JWT: its `jti`, a UUID, in that form. */
  readonly serial: Uint8Array;
  /** Both whole seconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the subject's SubjectPublicKeyInfo; zeros for a JWT, which has none. */
  readonly keyDigest: Uint8Array;
  /** SHA-256 of the exact bytes to be signed. */
  readonly tbsDigest: Uint8Array;
  readonly evidence: LoggedEvidence;
  /**
   * SHA-256 of the root that the certificate hangs on, in lower-case hex. "" for a JWT, which hangs on none, and where version 1
   * of an entry did not say it.
   */
  readonly root: string;
  /** The id of the agent that asked, as it said: a claim. "" for those that have none. */
  readonly agent: string;
}

export type EvidenceMethod =
  | "kubernetes"
  | "oidc"
  | "x5c"
  | "join-token"
  | "certificate"
  | "server"
  /** A node's own account, in the place of a pod that runs there. */
  | "node";

/** How the caller proved who it is; "" where the method has no such thing. */
export interface LoggedEvidence {
  readonly method: EvidenceMethod;
  readonly issuer: string;
  /** Names the token and cannot be made into it: its `jti`. */
  readonly tokenId: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly node: string;
  readonly address: string;
}

/** `unknown`: it may have been signed, by a server that crashed or an HSM that did not answer in time. */
export type Outcome = "signed" | "failed" | "unknown";

/** Written before the certificate leaves the server. */
export interface ResultEntry {
  readonly kind: "result";
  readonly timeMs: number;
  readonly intentIndex: number;
  readonly serial: Uint8Array;
  readonly outcome: Outcome;
  /** SHA-256 of the certificate or the token; empty unless signed. */
  readonly certificateDigest: Uint8Array;
  /** A code; "" when signed. */
  readonly reason: string;
}

/** Refusals of one caller for one reason, counted: a caller must not be able to fill the disk. */
export interface RefusalsEntry {
  readonly kind: "refusals";
  readonly timeMs: number;
  /** An identity, or "" for those that proved none. */
  readonly caller: string;
  /** One of those that they came from. */
  readonly address: string;
  readonly reason: string;
  /** Below 2^32. */
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export type EventType =
  | "log-started"
  | "trust-changed"
  | "policy-changed"
  | "command"
  | "waiver"
  | "denied"
  | "denial-removed"
  | "restored"
  | "pruned"
  | "clock-accepted"
  | "alarm"
  | "goodbye"
  | "resources-changed"
  | "flip-changed";

export interface EventEntry {
  readonly kind: "event";
  readonly timeMs: number;
  readonly type: EventType;
  /** A claimed name, or one that the cluster has verified (core/operator.ts); "" for the server itself. */
  readonly operator: string;
  readonly subject: string;
  readonly reason: string;
  /** SHA-256 of what it is about, or empty. */
  readonly digest: Uint8Array;
  /** At most 4,096 octets. */
  readonly detail: string;
}
