/** A call to a port of a simulated workload, and what becomes of it. */

export interface Call {
  readonly kind: "plaintext" | "tls" | "mtls";
  readonly address: string;
  readonly port: number;
  readonly isHttp: boolean;
  /** Of a client of the mesh; "" for none. */
  readonly peerUri: string;
  /** Its certificate is good. */
  readonly isGood: boolean;
  readonly lastsMs: number;
  readonly claim: string;
}

/** `failed`: its handshake; a chain was for it. */
export type CallOutcome = "taken" | "refused" | "failed";
