/**
 * What a client is told to send now. It goes over to what it is to send where the server surely takes it, and keeps what it has
 * elsewhere; all else of its policy goes at once.
 */

import type { OutboundCluster, OutboundEndpoint, ProxyPolicy } from "./proxy-policy.ts";
import { hadCluster, type HadCluster } from "./rollout-had.ts";
import { kindOf, otherKind, type Kind, type Kinds } from "./rollout-kinds.ts";
import { newestPolicy, type ProxyState } from "./rollout-proxy.ts";
import { unlikeSockets, type Socket } from "./rollout-sockets.ts";

/** Who serves a socket. */
export interface ServerView {
  /** It takes the kind surely, or it never will, or is no proxy of ours: in either case there is nothing to wait for. */
  isReady(socket: Socket, kind: Kind): boolean;
  surelyTaken(socket: Socket): Kinds;
  /** The address where the one that is to listen there still listens; undefined when somebody is there already. */
  movedFrom(socket: Socket): string | undefined;
  /** Somebody is to listen there, and has not said where it listens now; nobody else surely does. */
  isUnheard(socket: Socket): boolean;
}

/** An endpoint that does not get what it is to get. */
export interface HeldSending extends Socket {
  readonly waitsToSend: Kind;
}

export interface NextClusters {
  readonly clusters: readonly OutboundCluster[];
  readonly held: readonly HeldSending[];
}

export function nextClusters(
  state: ProxyState,
  desired: ProxyPolicy,
  view: ServerView,
): NextClusters {
  const newest = newestPolicy(state);
  // It is there already: nothing of ours sends it back.
  if (newest?.clusters === desired.clusters) return { clusters: desired.clusters, held: [] };
  const newestClusters = new Set(newest?.clusters);
  const held: HeldSending[] = [];
  const clusters = desired.clusters.map((cluster) =>
    newestClusters.has(cluster) ? cluster : nextCluster(state, cluster, view, held),
  );
  return held.length > 0 ? { clusters, held } : { clusters: desired.clusters, held };
}

function nextCluster(
  state: ProxyState,
  desired: OutboundCluster,
  view: ServerView,
  held: HeldSending[],
): OutboundCluster {
  const late = desired.endpoints.filter((each) => !view.isReady(each, kindOf(each.sends)));
  if (late.length === 0) return desired;
  const had = hadCluster(state, desired);
  const kept = new Map<OutboundEndpoint, readonly OutboundEndpoint[]>();
  for (const endpoint of late) {
    const { address, port } = endpoint;
    const before = hadEndpoints(state, endpoint, desired, had, view);
    if (before.some((each) => isSame(each, endpoint))) continue;
    kept.set(endpoint, before);
    held.push({ address, port, waitsToSend: kindOf(endpoint.sends) });
  }
  if (kept.size === 0) return desired;
  // Several that were not heard keep one place, and one that has moved may have been there.
  const places = new Set(desired.endpoints.map((each) => kept.get(each) ?? [each]));
  const endpoints = unlikeSockets([...places].flat());
  const sent = new Set(endpoints.map(({ sends }) => sends));
  return {
    ...desired,
    // What nobody is to be sent any more comes from what it has.
    mtls: sent.has("mtls") ? (desired.mtls ?? had.mtls) : undefined,
    origination: sent.has("tls") ? (desired.origination ?? had.origination) : undefined,
    endpoints,
  };
}

function isSame(a: OutboundEndpoint, b: OutboundEndpoint): boolean {
  return a.address === b.address && kindOf(a.sends) === kindOf(b.sends);
}

/**
 * Of one that has not moved yet, its address as well: whoever is told where nobody listens loses what it has. One of which nothing was
 * heard may be at any that has no other use.
 */
function hadEndpoints(
  state: ProxyState,
  endpoint: OutboundEndpoint,
  desired: OutboundCluster,
  had: HadCluster,
  view: ServerView,
): readonly OutboundEndpoint[] {
  const { address, port } = endpoint;
  const before = had.endpoints.get(address, port);
  if (before !== undefined) return [{ ...endpoint, sends: before.sends }];
  const left = address === state.address ? undefined : had.left.get(port);
  const from = left && view.movedFrom(endpoint);
  const moved = from === undefined ? undefined : left?.find((each) => each.address === from);
  if (moved !== undefined) return [{ ...endpoint, address: moved.address, sends: moved.sends }];
  if (left !== undefined && view.isUnheard(endpoint)) return left;
  return [{ ...endpoint, sends: firstSends(state, endpoint, desired, view) }];
}

/** To an endpoint that is new to it: as its siblings do, which wait. Names for mTLS cannot be made up. */
function firstSends(
  state: ProxyState,
  { address, port, sends }: OutboundEndpoint,
  { mtls }: OutboundCluster,
  view: ServerView,
): OutboundEndpoint["sends"] {
  // Its own port moves with it.
  if (address === state.address) return sends;
  const other = otherKind(kindOf(sends));
  if ((view.surelyTaken({ address, port }) & other) === 0) return sends;
  if (sends === "mtls") return "plaintext";
  return mtls === undefined ? sends : "mtls";
}
