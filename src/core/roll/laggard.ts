/** Whom a gate waits for, and why. A gate that is closed always names somebody, or the roll that is not rebuilt yet. */

/** In the order in which they are shown. */
export const laggardKinds = [
  /** The server itself: its own certificates, or what it does not know yet. */
  "server",
  "class",
  "agent",
  /** Those of an identity that are too many to be known one by one. */
  "agents",
  "proxy",
  "workload-api",
  /** A namespace's ConfigMap with the roots, which the server itself writes. */
  "config-map",
  /** Of the verifiers: a certificate whose owner is known by nothing else. */
  "leaf",
  /** Of the holders. */
  "certificate",
] as const;

export type LaggardKind = (typeof laggardKinds)[number];

export type LaggardReason =
  /** It was seen, and is away; it may live on with what it holds. */
  | "not-connected"
  /** The owner of an unexpired certificate, of whom this server has seen no stream. */
  | "never-connected"
  | "not-acknowledged"
  | "refused"
  /** What it holds is not the present bundle. */
  | "old-bundle"
  /** It holds a certificate and asks for no trust bundle here: whom it trusts is not known. */
  | "no-trust-bundle"
  /** Its certificate is older than the present bundle, and has not expired. */
  | "not-renewed"
  /** A holder: its certificate hangs on the root that is to go. */
  | "unexpired"
  /** A holder: an older version wrote the log, which does not say on which root its certificate hangs. */
  | "root-unknown"
  /** May have been signed: an intent without an outcome. */
  | "perhaps-signed"
  | "unobservable"
  /** The server itself has not read its log to the end, or has published no bundle yet. */
  | "rebuilding"
  /** Nobody confirms what the server's clock says, so that it is not known what has expired. */
  | "clock"
  /** There were more than are kept: of those nobody knows until they have ended. */
  | "too-many"
  | "own-certificate"
  /** Its listeners are ours, and none of the handshakes that are to prove it has been told yet. */
  | "handshake-pending"
  /** A listener of it does not take a certificate of the authority that is to sign next. */
  | "handshake-failed"
  /** There is no certificate of that authority to try it with. */
  | "handshake-unavailable";

export interface Laggard {
  readonly kind: LaggardKind;
  /** As `laggardName` makes it: what a waiver names. No name is one of both gates. */
  readonly name: string;
  /** "" for a class and for the server. */
  readonly spiffeId: string;
  readonly reason: LaggardReason;
  /** For people. */
  readonly detail: string;
  /** When it ends by itself: its certificate has expired, the skew of clocks included. */
  readonly endsAtMs?: number;
}

/** Certificates under an adopted root that whoever had its CA before has signed: a holder that nobody here sees. */
export const signedElsewhere = "signed-elsewhere";
/** By this name it is waived. */
export const signedElsewhereName: string = `class/${signedElsewhere}`;

/** A pure predicate over a snapshot: open, or closed by those whom it names. */
export type Gate =
  | { readonly kind: "open"; readonly evidence: GateEvidence }
  | {
      readonly kind: "closed";
      /** The last to end first, and before them those that do not end by themselves. Not empty, and at most so many as were asked for. */
      readonly laggards: readonly Laggard[];
      readonly lagging: number;
      /** When it opens at the latest, where all of them end by themselves. */
      readonly opensAtMs?: number;
      readonly evidence: GateEvidence;
    };

/** On how much a gate's word rests. */
export interface GateEvidence {
  readonly total: number;
  readonly confirmed: number;
  /** Of those confirmed: by a delivery or a certificate's reply, and not by an acknowledgement. */
  readonly weak: number;
  readonly waived: number;
  /** Of those confirmed, while handshakes are asked for: proxies without a listener of ours. Absent for none. */
  readonly ackOnly?: number;
}
