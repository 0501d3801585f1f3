/** What a proxy proved, as its agent reports it. Evidence counts only for the identity that its stream authenticated. */

/** One resource name on one xDS stream of a proxy. */
export interface SubscriptionEvidence {
  readonly streamId: bigint;
  readonly resourceName: string;
  /** What the last acknowledged response *that carried the resource* held; an empty response proves nothing. */
  readonly acked?: AckedEvidence;
  /** The newest refusal that no later acknowledgement has cleared. */
  readonly nack?: NackEvidence;
}

export interface AckedEvidence {
  readonly atMs: number;
  readonly certificate?: HeldCertificate;
  /** 0 when the resource is no trust bundle. */
  readonly bundleSequence: bigint;
  /** Of the trust bundle in it, as `rootsDigest` makes it; absent when the resource is none. */
  readonly rootsDigest?: string;
}

export interface HeldCertificate {
  readonly serialHex: string;
  readonly notAfterMs: number;
}

export interface NackEvidence {
  readonly atMs: number;
  readonly version: string;
  readonly detail: string;
}

export interface ProxyEvidence {
  /** Envoy's node.id. */
  readonly proxyId: string;
  /** From a node agent: the workload that the proxy authenticated as. Otherwise the reporter itself. */
  readonly spiffeId?: string;
  readonly subscriptions: readonly SubscriptionEvidence[];
  /** A stream of the Workload API: what it holds was delivered, and is acknowledged by nobody. */
  readonly weak?: true;
}

export interface EvidenceReport {
  readonly sequence: bigint;
  /** The first of a stream: proxies that it does not name are gone. */
  readonly full: boolean;
  readonly proxies: readonly ProxyEvidence[];
  /** As `proxyKey` names them. */
  readonly gone: readonly string[];
  /** Of the bundle that the agent itself keeps and verifies the server with; undefined before it has one. */
  readonly heldRootsDigest?: string;
  /** Of that bundle; 0 where no mesh stream has brought it. */
  readonly heldBundleSequence?: bigint;
  /** Clients of the Workload API that have taken a bundle and listen no more. */
  readonly unobservedReaders?: number;
}

/** A certificate that an agent says it has. Its word, and no evidence: it decides only who is asked to renew. */
export interface HeldLeaf {
  /** Lower-case hex. */
  readonly serialHex: string;
  readonly notAfterMs: number;
}

export interface HeldLeavesReport {
  /** The first of a stream: those that it does not name are not held. */
  readonly full: boolean;
  readonly held: readonly HeldLeaf[];
  /** Serials, lower-case hex. */
  readonly dropped: readonly string[];
}

/** The agent that reports, as its stream's certificate authenticated it. */
export interface Reporter {
  readonly agentId: string;
  readonly spiffeId: string;
  /** From the token that the stream's certificate was issued on, where it is still known. */
  readonly pod?: string;
}

/** A proxy's name means nothing outside its workload: on one node two may call themselves the same. */
export function proxyKey({ spiffeId, proxyId }: ProxyEvidence): string {
  // A SPIFFE ID has no space (SPIFFE-ID 2).
  return spiffeId === undefined ? proxyId : `${spiffeId} ${proxyId}`;
}
