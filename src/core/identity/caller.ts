/**
 * Who is calling. A caller is made in this room only, in one file for each method of proof, of what
 * that method has verified and of the configured trust domain; nothing that the caller may choose,
 * neither its CSR nor a header, has a part in it.
 */

import type { SpiffeId } from "../spiffe/id.ts";
import type { TokenValidity } from "./registered-claims.ts";
import type { BoundNode, BoundObject } from "./token-claims.ts";

export interface Caller {
  readonly id: SpiffeId;
  /** Both of a Kubernetes service account, by its token. */
  readonly namespace?: string;
  readonly serviceAccount?: string;
  /** When what authenticated the caller stops to count. */
  readonly expiresAtMs: number;
  /** No certificate of this caller may be valid for longer; a whole second. */
  readonly certificateNotAfterMs?: number;
  readonly evidence: CallerEvidence;
}

/**
 * What the caller proved, for the log and for checks of existence: objects are named by UID as
 * well.
 */
export type CallerEvidence =
  | KubernetesEvidence
  | NodeEvidence
  | OidcEvidence
  | X5cEvidence
  | JoinTokenEvidence
  | CertificateEvidence;

export interface KubernetesEvidence {
  readonly method: "jwt";
  readonly issuer: string;
  readonly tokenId?: string | undefined;
  readonly pod?: BoundObject | undefined;
  readonly node?: BoundNode | undefined;
  readonly serviceAccountUid?: string | undefined;
  /** The secret that the token is bound to: tokens of before Kubernetes 1.24 were. */
  readonly secret?: BoundObject | undefined;
}

/** A node's own account may ask in the place of the pods on its node. */
export interface NodeEvidence extends OutsideKubernetes {
  readonly method: "node";
  /** Whose token it was: a SPIFFE ID. */
  readonly by: string;
  /** The asking pod, and where it runs. */
  readonly askedBy: BoundObject;
  readonly onNode: string;
  readonly issuer: string;
  readonly tokenId?: string | undefined;
}

/** Whoever asks for the pod need not ask for the method first. */
interface OutsideKubernetes {
  readonly pod?: undefined;
  readonly node?: undefined;
}

export interface OidcEvidence extends OutsideKubernetes {
  readonly method: "oidc";
  readonly issuer: string;
  /** As the issuer wrote it, but short and printable. */
  readonly subject: string;
  readonly tokenId?: string | undefined;
  /** The template of the rule that matched. */
  readonly rule: string;
}

export interface X5cEvidence extends OutsideKubernetes {
  readonly method: "x5c";
  /** The entry of the configuration whose roots the certificate chains to. */
  readonly entry: string;
  readonly tokenId: string;
  readonly serialHex: string;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
  /** The template of the rule that matched. */
  readonly rule: string;
}

export interface JoinTokenEvidence extends OutsideKubernetes {
  readonly method: "join-token";
  /** Names the token in the log; it cannot be made again from it. */
  readonly joinTokenId: string;
  /** When the token was used; a whole second. */
  readonly enrolledAtMs: number;
}

export interface CertificateEvidence extends OutsideKubernetes {
  readonly method: "certificate";
  /** Of the certificate that is renewed. */
  readonly serialHex: string;
  /** Of the join token that the chain of renewals began with. */
  readonly joinTokenId: string;
  /** When that token was used. */
  readonly enrolledAtMs: number;
}

/** A token that passed, with what must be looked at again whenever it comes again. */
export interface AcceptedToken {
  readonly caller: Caller;
  readonly validity: TokenValidity;
}
