/**
 * What a proxy takes at a port of the address where its callers are to go. A listener at another address takes nothing there: a
 * WorkloadEntry may move while its proxy is connected.
 */

import { modeOf } from "./port-modes.ts";
import type { InboundPort, ProxyPolicy } from "./proxy-policy.ts";
import { both, kindsTaken, type Kinds } from "./rollout-kinds.ts";
import { possiblePolicies, type ProxyState } from "./rollout-proxy.ts";
import type { ServerMode } from "./server-mode.ts";

/** What a port takes whichever policy is in force. */
export function surelyTaken(state: ProxyState, port: number): Kinds {
  if (typeof state.applied !== "object") return 0;
  const modes = possiblePolicies(state).map((policy) => portMode(state, policy, port));
  return modes.reduce<Kinds>((kinds, mode) => intersection(kinds, kindsTaken(mode)), both);
}

/** What is taken where it listens, if it does: all, where it surely does not. */
export function takenIfListening(state: ProxyState, port: number): Kinds {
  if (state.applied === undefined) return 0;
  const modes = possiblePolicies(state).map((policy) => portMode(state, policy, port));
  const listening = modes.filter((mode) => mode !== undefined);
  return listening.reduce<Kinds>((kinds, mode) => intersection(kinds, kindsTaken(mode)), both);
}

/**
 * What a port may be taking.
 * @param unlistened what it takes where nothing of ours listens yet
 */
export function perhapsTaken(state: ProxyState, port: number, unlistened: Kinds): Kinds {
  const modes = possiblePolicies(state).map((policy) => portMode(state, policy, port));
  const first = typeof state.applied === "object" ? 0 : unlistened;
  return modes.reduce<Kinds>(
    (kinds, mode) => union(kinds, mode === undefined ? unlistened : kindsTaken(mode)),
    first,
  );
}

/** What a port is to take in the end; where nothing of ours is to listen, whatever is sent. */
export function takenAtLast(state: ProxyState, port: number): Kinds {
  if (state.desired === undefined) return 0;
  const mode = portMode(state, state.desired, port);
  return mode === undefined ? both : kindsTaken(mode);
}

/** Where a proxy listens that has not moved yet; one that is away still does, as far as anybody knows. */
export function movedFrom(state: ProxyState, port: number): string | undefined {
  const { applied, hasListeners } = state;
  if (hasListeners !== true || typeof applied !== "object") return undefined;
  const listener = listenerAt(applied, port);
  return listener === undefined || isAtAddress(state, listener) ? undefined : listener.bind;
}

function portMode(state: ProxyState, policy: ProxyPolicy, port: number): ServerMode | undefined {
  if (state.hasListeners !== true) return modeOf(policy.modes, port);
  const listener = listenerAt(policy, port);
  return listener !== undefined && isAtAddress(state, listener) ? listener.mode : undefined;
}

/** Where it listens, will or may listen. */
export function listenedPorts(state: ProxyState): ReadonlySet<number> {
  const policies = [...possiblePolicies(state), ...(state.desired ? [state.desired] : [])];
  return new Set(policies.flatMap(({ inbound }) => inbound.map(({ port }) => port)));
}

function listenerAt({ inbound }: ProxyPolicy, port: number): InboundPort | undefined {
  return inbound.find((each) => each.port === port);
}

/** A bind that it is to have in the end is right for its address, whatever it says: it may be behind NAT. */
function isAtAddress({ address = "", desired }: ProxyState, { bind, port }: InboundPort): boolean {
  if (bind === address || isWildcardOf(bind, address)) return true;
  return desired !== undefined && listenerAt(desired, port)?.bind === bind;
}

/** That of IPv6 takes IPv4 as well. */
function isWildcardOf(bind: string, address: string): boolean {
  return bind === "0.0.0.0" ? !address.includes(":") : /^[0:]+$/.test(bind);
}

function intersection(a: Kinds, b: Kinds): Kinds {
  return (a & b) as Kinds;
}

function union(a: Kinds, b: Kinds): Kinds {
  return (a | b) as Kinds;
}
