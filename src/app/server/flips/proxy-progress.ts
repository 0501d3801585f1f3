/** How far STRICT, or the way back, is at one proxy: by what it has acknowledged. */

import type { MemberStage } from "../../../core/flip/flip-view.ts";
import { modeOf } from "../../../core/policy/port-modes.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ServerMode } from "../../../core/policy/server-mode.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { PolicyProxy } from "../policy/policy-proxy.ts";

export interface ProxyProgress {
  readonly key: string;
  readonly stage: MemberStage;
  readonly isConnected: boolean;
  /** Open connections with plaintext of before. */
  readonly draining: number;
  /** It has acknowledged that it takes plaintext. */
  readonly isBack: boolean;
}

/** Nothing was heard of it since the server's start. */
export function silent(key: string): ProxyProgress {
  return { key, stage: "silent", isConnected: false, draining: 0, isBack: false };
}

/** @param isAsked whether a port of it is the flip's */
export function proxyProgress(
  { index, rollout }: Pick<PolicyControl, "index" | "rollout">,
  proxy: PolicyProxy,
  isAsked: (port: number) => boolean,
): ProxyProgress {
  const { identity, applied, said, session } = proxy;
  const { key } = identity;
  const { hasListeners } = said;
  const wanted = index.desired(key);
  const ports = wanted === undefined ? undefined : modesIn(wanted, hasListeners, isAsked);
  const has = typeof applied === "object" ? modesIn(applied, hasListeners, isAsked) : undefined;
  const isStrict = ports !== undefined && has !== undefined && isStrictAs(ports, has);
  const hasNone = hasListeners && ports?.size === 0;
  const isConnected = session !== undefined;
  const draining = Array.from(said.draining, ([port, count]) => (isAsked(port) ? count : 0));
  const stage = (): MemberStage => {
    if (hasNone) return "no-proxy";
    if (!isConnected) return "silent";
    if (!isStrict) return rollout.stage(key) === "refused" ? "refused" : "pushed";
    // Who only asks is asked again for each connection.
    return !hasListeners || said.oldConnections === "gone" ? "in-force" : "draining";
  };
  return {
    key,
    stage: stage(),
    isConnected,
    draining: draining.reduce((sum, each) => sum + each, 0),
    isBack: hasNone || applied === "nothing" || (has !== undefined && !isAnyStrict(has)),
  };
}

/** Of the ports that are asked for: those with a listener of ours; 0 for all others where its own listeners ask. */
function modesIn(
  { inbound, modes }: ProxyPolicy,
  hasListeners: boolean,
  isAsked: (port: number) => boolean,
): ReadonlyMap<number, ServerMode> {
  if (hasListeners) {
    const all = inbound.filter(({ port }) => isAsked(port));
    return new Map(all.map(({ port, mode }) => [port, mode]));
  }
  const ports = [0, ...modes.ports.keys()].filter(isAsked);
  return new Map(ports.map((port) => [port, modeOf(modes, port)]));
}

/** Each port that is to be strict is. */
function isStrictAs(
  wanted: ReadonlyMap<number, ServerMode>,
  has: ReadonlyMap<number, ServerMode>,
): boolean {
  return Array.from(wanted).every(
    ([port, mode]) => mode !== "strict" || (has.get(port) ?? has.get(0)) === "strict",
  );
}

function isAnyStrict(has: ReadonlyMap<number, ServerMode>): boolean {
  return [...has.values()].includes("strict");
}
