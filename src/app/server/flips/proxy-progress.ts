/** How far STRICT, or the way back, is at one proxy: by what it has acknowledged. */

import type { Absent } from "../../../core/evidence/member.ts";
import type { MemberStage } from "../../../core/flip/flip-view.ts";
import { modeOf } from "../../../core/policy/port-modes.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ServerMode } from "../../../core/policy/server-mode.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { PolicyProxy } from "../policy/policy-proxy.ts";
import { absenceIn } from "./proxy-absence.ts";

export interface ProxyProgress {
  readonly key: string;
  readonly stage: MemberStage;
  readonly isConnected: boolean;
  /** Open connections with plaintext of before. */
  readonly draining: number;
  /** It has acknowledged that it takes plaintext. */
  readonly isBack: boolean;
  /** By what it has acknowledged last: taken at one of its ports at least, or refused; undefined: nobody knows, or it has no port. */
  readonly plaintext: "refused" | "taken" | undefined;
  /** Undefined for one that is told of. */
  readonly absent: Absent | undefined;
}

/** Policy does not tell of it for the target. */
export function silent(key: string, absent: Absent): ProxyProgress {
  return {
    key,
    stage: "silent",
    isConnected: false,
    draining: 0,
    isBack: false,
    plaintext: undefined,
    absent,
  };
}

/** @param isAsked whether a port of it is the flip's */
export function proxyProgress(
  control: Pick<PolicyControl, "index" | "rollout" | "gonePods">,
  proxy: PolicyProxy,
  isAsked: (port: number) => boolean,
): ProxyProgress {
  const { index, rollout } = control;
  const { identity, applied, said, session } = proxy;
  const { key } = identity;
  const { hasListeners, draining } = said;
  const wanted = index.desired(key);
  const has = typeof applied === "object" ? applied : undefined;
  const strict = wanted && strictPorts(wanted, hasListeners, isAsked);
  const isStrict =
    strict !== undefined &&
    has !== undefined &&
    strict.every((port) => modeAt(has, port, hasListeners) === "strict");
  const hasNone = hasListeners && wanted?.inbound.every(({ port }) => !isAsked(port)) === true;
  const isConnected = session !== undefined;
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
    draining: drainingOf(draining, isAsked),
    isBack:
      hasNone ||
      applied === "nothing" ||
      (has !== undefined && strictPorts(has, hasListeners, isAsked).length === 0),
    plaintext: plaintextOf(proxy, isAsked),
    absent: absenceIn(control, proxy),
  };
}

function plaintextOf(
  { applied, said: { hasListeners } }: PolicyProxy,
  isAsked: (port: number) => boolean,
): ProxyProgress["plaintext"] {
  if (applied === "nothing") return "taken";
  if (applied === undefined) return undefined;
  const ports = askedPorts(applied, hasListeners, isAsked);
  if (ports.length === 0) return undefined;
  return ports.every((port) => modeAt(applied, port, hasListeners) === "strict")
    ? "refused"
    : "taken";
}

/** Of one workload: those that have no port to refuse at do not count. */
export function plaintextAmong(proxies: readonly ProxyProgress[]): ProxyProgress["plaintext"] {
  const all = proxies.filter(({ stage }) => stage !== "no-proxy");
  if (all.some(({ plaintext }) => plaintext === "taken")) return "taken";
  const isKnown = all.length > 0 && all.every(({ plaintext }) => plaintext === "refused");
  return isKnown ? "refused" : undefined;
}

const noPorts: readonly number[] = [];
/** All that nobody names, where its own listeners ask. */
const otherPorts = 0;

/** Of those that are asked for: with listeners of ours those that have one. */
function strictPorts(
  policy: ProxyPolicy,
  hasListeners: boolean,
  isAsked: (port: number) => boolean,
): readonly number[] {
  if (hasListeners) {
    const strict = policy.inbound.filter(({ port, mode }) => mode === "strict" && isAsked(port));
    return strict.length === 0 ? noPorts : strict.map(({ port }) => port);
  }
  const { modes } = policy;
  return askedPorts(policy, false, isAsked).filter((port) => modeOf(modes, port) === "strict");
}

function askedPorts(
  { inbound, modes }: ProxyPolicy,
  hasListeners: boolean,
  isAsked: (port: number) => boolean,
): readonly number[] {
  const ports = hasListeners
    ? inbound.map(({ port }) => port)
    : [otherPorts, ...modes.ports.keys()];
  return ports.filter(isAsked);
}

function modeAt(
  { inbound, modes }: ProxyPolicy,
  port: number,
  hasListeners: boolean,
): ServerMode | undefined {
  return hasListeners ? inbound.find((each) => each.port === port)?.mode : modeOf(modes, port);
}

function drainingOf(
  draining: ReadonlyMap<number, number>,
  isAsked: (port: number) => boolean,
): number {
  let sum = 0;
  for (const [port, count] of draining) if (isAsked(port)) sum += count;
  return sum;
}
