/**
 * The places that requests to the API server take, each kind in a lane of its own: what strangers can cause must not keep the server from
 * its Lease, nor its watches from their lists.
 */

import { RequestGate, type GateLimits } from "./request-gate.ts";

export type Lane =
  /** Lists, writes, keys. */
  | "common"
  /** Of callers' tokens. */
  | "reviews"
  | "operators"
  /** The Lease and the Secret of the trust: unseen for long, nothing is signed. */
  | "trust";

const limitsDefault: Readonly<Record<Lane, GateLimits>> = {
  common: { inFlightMax: 64, waitingMax: 256 },
  reviews: { inFlightMax: 32, waitingMax: 128 },
  operators: { inFlightMax: 10, waitingMax: 40 },
  trust: { inFlightMax: 4, waitingMax: 16 },
};

export class Lanes {
  readonly #gates: Readonly<Record<Lane, RequestGate>>;
  /** As many connections are needed, so that nobody who has a place waits for one. */
  readonly inFlightMax: number;

  /** @param common of the common lane. @default 64 under way, 256 waiting */
  constructor(common: GateLimits = limitsDefault.common) {
    const limits = { ...limitsDefault, common };
    this.#gates = {
      common: new RequestGate(limits.common),
      reviews: new RequestGate(limits.reviews),
      operators: new RequestGate(limits.operators),
      trust: new RequestGate(limits.trust),
    };
    this.inFlightMax = sum(Object.values(limits), ({ inFlightMax }) => inFlightMax);
  }

  get inFlight(): number {
    return sum(Object.values(this.#gates), ({ inFlight }) => inFlight);
  }

  /** @throws KubeError `kube-busy`; the reason of `signal`; what `run` throws */
  async pass<T>(lane: Lane, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    return await this.#gates[lane].pass(signal, run);
  }
}

function sum<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((total, each) => total + of(each), 0);
}
