/**
 * Whether a proxy takes certificates of the authority that is to sign next, where its listeners are ours: a handshake shows it. An
 * acknowledgement is Envoy's word that it has a bundle, and no listener need be verifying by that one.
 */

import type { Reporter } from "./evidence.ts";
import type { LaggardReason } from "./laggard.ts";

export interface ProvenProxy {
  /** Who tells of it. */
  readonly reporter: Reporter;
  /** Whose it is. */
  readonly spiffeId: string;
  readonly proxyId: string;
}

/** By its agent's word, as all evidence is. */
export interface HandshakeProof {
  /** Of the authority, lower-case hex. */
  readonly rootSha256: string;
  /** As it was asked for. */
  readonly rootsSequence: bigint;
  /** Whose listeners were tried, lower-case hex. */
  readonly policyDigest: string;
  /** Undefined where each of them has taken the certificate. */
  readonly failure: HandshakeFailure | undefined;
}

export interface HandshakeFailure {
  readonly listener: string;
  /** For people. */
  readonly detail: string;
}

export type KnownListeners =
  /** There are none of ours: there is nothing to try. */
  | { readonly kind: "none" }
  /** Its agent has not told yet. */
  | { readonly kind: "unknown" }
  | { readonly kind: "ours"; readonly policyDigest: string };

/** While an authority is prepared. */
export interface HandshakeView {
  /** Of that authority, lower-case hex. */
  readonly rootSha256: string;
  /** As in `VerifierView`. */
  readonly rootsSequence: bigint;
  readonly listenersOf: (proxy: ProvenProxy) => KnownListeners;
  readonly proofOf: (proxy: ProvenProxy) => HandshakeProof | undefined;
  /** Why nobody can be given a certificate to try it with; undefined while that is not known to be so. */
  readonly unavailable: string | undefined;
}

export type HandshakeVerdict =
  | "proved"
  /** Its acknowledgement stands alone. */
  | "ack-only"
  | { readonly reason: LaggardReason; readonly about: string };

/** A proof of another root, of other roots beside it, or of other listeners proves nothing. */
export function judgeHandshake(view: HandshakeView, proxy: ProvenProxy): HandshakeVerdict {
  const { rootSha256, rootsSequence, unavailable } = view;
  const listeners = view.listenersOf(proxy);
  if (listeners.kind === "none") return "ack-only";
  if (listeners.kind === "unknown") {
    return { reason: "handshake-pending", about: "its agent has not said yet what it listens on" };
  }
  const proof = view.proofOf(proxy);
  const isOfNow =
    proof?.rootSha256 === rootSha256 &&
    proof.rootsSequence === rootsSequence &&
    proof.policyDigest === listeners.policyDigest;
  if (!isOfNow) {
    if (unavailable !== undefined) return { reason: "handshake-unavailable", about: unavailable };
    return { reason: "handshake-pending", about: "no handshake has been made yet" };
  }
  if (proof.failure === undefined) return "proved";
  const { listener, detail } = proof.failure;
  return { reason: "handshake-failed", about: `${listener}: ${detail}` };
}
