/**
 * What a client is told to send now. It goes over to what it is to send where the server surely takes it, and keeps what it has
 * elsewhere; all else of its policy goes at once.
 */

import type { OutboundCluster, OutboundEndpoint, ProxyPolicy } from "./proxy-policy.ts";
import { kindOf, otherKind, type Kind, type Kinds } from "./rollout-kinds.ts";
import { newestPolicy, possiblePolicies, type ProxyState } from "./rollout-proxy.ts";
import { SocketMap, type Socket } from "./rollout-sockets.ts";

/** Who serves a socket. */
export interface ServerView {
  /** It takes the kind surely, or it never will, or is no proxy of ours: in either case there is nothing to wait for. */
  isReady(socket: Socket, kind: Kind): boolean;
  surelyTaken(socket: Socket): Kinds;
  /** The address where the one that is to listen there still listens; undefined when somebody is there already. */
  movedFrom(socket: Socket): string | undefined;
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
  const had = hadCluster(state, desired.name);
  const kept = new Map<OutboundEndpoint, OutboundEndpoint>();
  for (const endpoint of late) {
    const { address, port } = endpoint;
    const before = hadEndpoint(state, endpoint, desired, had, view);
    if (before.address === address && kindOf(before.sends) === kindOf(endpoint.sends)) continue;
    kept.set(endpoint, before);
    held.push({ address, port, waitsToSend: kindOf(endpoint.sends) });
  }
  if (kept.size === 0) return desired;
  const endpoints = desired.endpoints.map((each) => kept.get(each) ?? each);
  const sent = new Set(endpoints.map(({ sends }) => sends));
  return {
    ...desired,
    // What nobody is to be sent any more comes from what it has.
    mtls: sent.has("mtls") ? (desired.mtls ?? had.mtls) : undefined,
    origination: sent.has("tls") ? (desired.origination ?? had.origination) : undefined,
    endpoints,
  };
}

interface HadCluster extends Pick<OutboundCluster, "mtls" | "origination"> {
  readonly sends: SocketMap<OutboundEndpoint["sends"]>;
}

/** The newest of what it was told of a cluster and of each of its sockets. */
function hadCluster(state: ProxyState, name: string): HadCluster {
  const sends = new SocketMap<OutboundEndpoint["sends"]>();
  let [mtls, origination]: [OutboundCluster["mtls"], OutboundCluster["origination"]] = [
    undefined,
    undefined,
  ];
  for (const { clusters } of possiblePolicies(state)) {
    const cluster = clusters.find((each) => each.name === name);
    for (const { address, port, sends: each } of cluster?.endpoints ?? []) {
      sends.set(address, port, each);
    }
    mtls = cluster?.mtls ?? mtls;
    origination = cluster?.origination ?? origination;
  }
  return { sends, mtls, origination };
}

/** Of one that has not moved yet, its address as well: whoever is told where nobody listens loses what it has. */
function hadEndpoint(
  state: ProxyState,
  endpoint: OutboundEndpoint,
  desired: OutboundCluster,
  had: HadCluster,
  view: ServerView,
): OutboundEndpoint {
  const { address, port } = endpoint;
  const sends = had.sends.get(address, port);
  if (sends !== undefined) return { ...endpoint, sends };
  const from = address === state.address ? undefined : view.movedFrom(endpoint);
  const before = from === undefined ? undefined : had.sends.get(from, port);
  const isFree = !desired.endpoints.some((each) => each.address === from && each.port === port);
  return from === undefined || before === undefined || !isFree
    ? { ...endpoint, sends: firstSends(state, endpoint, desired, view) }
    : { ...endpoint, address: from, sends: before };
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
