/**
 * Istio 1.0's `authentication.istio.io/v1alpha1`: Policy (of a namespace, or of services by name) and MeshPolicy. What a port takes was
 * said by `peers`: none is plaintext only, `mtls: {}` is STRICT. Whatever else it says is not about TLS, and is named.
 */

import type { PeerMode } from "../../../core/resources/peer-authentication.ts";
import { isJsonMap, type Json } from "../manifest.ts";
import type { Place } from "../place.ts";
import { fields, flag, list, oneOf, optional, required, type Reader } from "../reader.ts";
import { labelLike, nameLike, portNumber } from "../words.ts";

export interface AlphaPort {
  readonly number: number | undefined;
  readonly name: string | undefined;
}

export interface AlphaTarget {
  readonly service: string;
  /** Empty: all. */
  readonly ports: readonly AlphaPort[];
}

export interface AlphaPolicy {
  readonly mode: Exclude<PeerMode, "UNSET">;
  /** Empty: the whole namespace, or mesh. */
  readonly targets: readonly AlphaTarget[];
}

const anything: Reader<true> = () => true;
const maybe = optional(anything, false);

const target = fields({
  name: required(nameLike, ""),
  ports: optional(
    list(
      fields({ number: optional(portNumber, undefined), name: optional(labelLike, undefined) }),
      256,
    ),
    [],
  ),
});

const mtls = fields({
  mode: optional(oneOf(["STRICT", "PERMISSIVE"]), "STRICT"),
  allowTls: optional(flag, false),
});

/** `mtls:` and nothing is mTLS, too: only that the word is there counts. */
const peer: Reader<ReturnType<typeof mtls> | undefined> = (value, place) => {
  const { jwt } = fields({ mtls: maybe, jwt: maybe })(value, place);
  if (jwt) lost(place.child("jwt"), "JWTs of peers are not looked at");
  if (!isJsonMap(value) || !Object.hasOwn(value, "mtls")) return undefined;
  return mtls(value["mtls"] ?? {}, place.child("mtls"));
};

const spec = fields({
  targets: optional(list(target, 256), []),
  peers: optional(list(peer, 64), []),
  peerIsOptional: optional(flag, false),
  origins: optional(list(anything, 64), []),
  originIsOptional: optional(flag, false),
  principalBinding: optional(oneOf(["USE_PEER", "USE_ORIGIN"]), "USE_PEER"),
});

/** What cannot be carried over is a warning at its place. */
export function readAlphaPolicy(value: Json, place: Place): AlphaPolicy {
  const { targets, peers, ...rest } = spec(value, place);
  const first = peers.find((each) => each !== undefined);
  if (first?.allowTls === true) {
    lost(place.child("peers"), "allowTls: STRICT takes no TLS without a certificate");
  }
  if (rest.peerIsOptional && first !== undefined) {
    lost(
      place.child("peerIsOptional"),
      "peerIsOptional: Istio 1.0 asked for a certificate all the same",
    );
  }
  if (rest.origins.length > 0) lost(place.child("origins"), "JWTs of end users are not looked at");
  if (rest.originIsOptional) lost(place.child("originIsOptional"), "JWTs are not looked at");
  if (rest.principalBinding === "USE_ORIGIN") {
    lost(place.child("principalBinding"), "the principal is always the peer");
  }
  return {
    mode: first?.mode ?? "DISABLE",
    targets: targets.map(({ name, ports }) => ({ service: name, ports })),
  };
}

function lost(place: Place, text: string): void {
  place.warn("not-carried-over", text);
}
