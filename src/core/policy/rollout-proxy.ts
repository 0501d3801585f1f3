/** What the rollout knows of one proxy: what it is to do and what it may be doing now. */

import type { ProxyPolicy } from "./proxy-policy.ts";
import { sameValue } from "./same-value.ts";

/** "nothing": it never had a policy. Undefined: it has not said, and may have anything. */
export type Applied = ProxyPolicy | "nothing" | undefined;

/** By the configuration. */
export interface ProxyTarget {
  readonly desired: ProxyPolicy | undefined;
  /** Its WorkloadEntry's; undefined for one without, at which nobody's endpoint can point. */
  readonly address: string | undefined;
}

/** By its agent, whole each time. */
export interface ProxyReport {
  /** By what it says, nothing is on its way to it: of what was sent the report says what came of it, or it never arrived. */
  readonly isAnswered: boolean;
  /** False for one that only asks `ext_authz`: it takes by `modes` on all ports of its address, and sends what we do not know. */
  readonly hasListeners: boolean;
  /** What it has acknowledged, whole, and the agent has on its disk. */
  readonly applied: Applied;
  /** Given to it and not acknowledged, also where refused, until it has acknowledged another: parts of it may be in force. */
  readonly pending: readonly ProxyPolicy[];
  /** The newest refusal that no later acknowledgement has cleared. */
  readonly refused: ProxyPolicy | undefined;
}

export interface ProxyState extends ProxyTarget, Omit<ProxyReport, "isAnswered" | "hasListeners"> {
  readonly key: string;
  /** Undefined: it has not said, and may be either. */
  readonly hasListeners: boolean | undefined;
  readonly isConnected: boolean;
  /** On this stream, and not answered: one at most, so that an answer is never taken for that to another. */
  readonly sent: ProxyPolicy | undefined;
}

/** Of whom nothing was heard since the server's start. */
export function unheard(key: string): ProxyState {
  return {
    key,
    desired: undefined,
    address: undefined,
    isConnected: false,
    hasListeners: undefined,
    applied: undefined,
    pending: [],
    sent: undefined,
    refused: undefined,
  };
}

export function afterTarget(state: ProxyState, { desired, address }: ProxyTarget): ProxyState {
  return { ...state, desired, address, applied: sharedWith([desired], state.applied) };
}

/** The same object where nothing is new: agents report more than policies. */
export function afterReport(state: ProxyState, { isAnswered, ...report }: ProxyReport): ProxyState {
  const { sent } = state;
  const applied = sharedWith([state.desired, sent, state.applied], report.applied);
  const told = { ...report, applied, isConnected: true, sent: isAnswered ? undefined : sent };
  return saysTheSame(state, told) ? state : { ...state, ...told };
}

function saysTheSame(
  state: ProxyState,
  told: Omit<ProxyState, "key" | keyof ProxyTarget>,
): boolean {
  const { pending, applied, refused, sent, hasListeners, isConnected } = told;
  return (
    applied === state.applied &&
    refused === state.refused &&
    sent === state.sent &&
    hasListeners === state.hasListeners &&
    isConnected === state.isConnected &&
    pending.length === state.pending.length &&
    pending.every((each, at) => each === state.pending[at])
  );
}

/** The same object where there is one that says the same: most proxies do what they are to do, and then cost nothing more. */
function sharedWith(known: readonly Applied[], applied: Applied): Applied {
  return known.find((each) => each !== undefined && sameValue(each, applied)) ?? applied;
}

/** All of which something may be in force, the oldest first. */
export function possiblePolicies({ applied, pending, sent }: ProxyState): readonly ProxyPolicy[] {
  return [applied, ...pending, sent].filter((each) => typeof each === "object");
}

/** What it has been told last: more that says the same would change nothing. */
export function newestPolicy({ applied, sent }: ProxyState): ProxyPolicy | undefined {
  return sent ?? (applied === "nothing" ? undefined : applied);
}
