/** Who may open a stream: a peer of this mesh that is not denied, and for whom there is a place. */

import { status } from "@grpc/grpc-js";
import { DeniedError } from "../../../core/deny/deny-error.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { TrustDomain } from "../../../core/spiffe/id.ts";
import { authenticatedPeer, type AuthContext, type Peer } from "../../../edge/rpc/peer.ts";
import { distrustedPeer, type IsDistrusted } from "./distrust.ts";
import { StreamPlaces } from "./stream-places.ts";

export interface MeshAdmissionDependencies {
  readonly trustDomain: () => TrustDomain;
  /** @throws DeniedError that the peer may read */
  readonly assertNotDenied: (identity: string, serialHex: string) => void;
  readonly isDistrusted: IsDistrusted;
  readonly streamsMax: number;
}

/** Why a stream ends. */
export interface StreamRefusal {
  readonly code: number;
  readonly details: string;
  readonly error?: unknown;
}

const streamsPerIdentityMax = 2_500;

export class MeshAdmission {
  readonly #dependencies: MeshAdmissionDependencies;
  /** Those that have not said Hello yet have one, too. */
  readonly #places: StreamPlaces;

  constructor(dependencies: MeshAdmissionDependencies) {
    this.#dependencies = dependencies;
    const { streamsMax: all } = dependencies;
    this.#places = new StreamPlaces({ all, perIdentity: streamsPerIdentityMax });
  }

  /** Takes a place for it, to be given back by `release`. */
  admit(context: AuthContext): { readonly peer: Peer } | { readonly refusal: StreamRefusal } {
    let peer: Peer;
    try {
      peer = authenticatedPeer(context);
      this.#assertOwnTrustDomain(peer);
      if (this.#dependencies.isDistrusted(peer)) throw distrustedPeer(peer);
    } catch (error) {
      const details = "a client certificate of this mesh is needed";
      return { refusal: { code: status.UNAUTHENTICATED, details, error } };
    }
    const denied = this.denied(peer);
    if (denied !== undefined) return { refusal: denied };
    if (this.#places.take(peer.id.toString())) return { peer };
    const details = "too many agents: try again later";
    return { refusal: { code: status.RESOURCE_EXHAUSTED, details } };
  }

  release({ id }: Peer): void {
    this.#places.release(id.toString());
  }

  /** Undefined for one that may stay. */
  denied({ id, serialHex }: Peer): StreamRefusal | undefined {
    try {
      this.#dependencies.assertNotDenied(id.toString(), serialHex);
      return undefined;
    } catch (error) {
      if (!(error instanceof DeniedError)) throw error;
      return { code: status.PERMISSION_DENIED, details: error.message, error };
    }
  }

  #assertOwnTrustDomain({ id }: Peer): void {
    const trustDomain = this.#dependencies.trustDomain();
    if (id.trustDomain.equals(trustDomain)) return;
    throw new PortcullisError(
      "peer-trust-domain",
      `expected a peer of ${trustDomain.name}, got ${id.toString()}`,
    );
  }
}
