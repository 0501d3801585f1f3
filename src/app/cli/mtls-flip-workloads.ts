/** Workloads of a flip in words: who refuses plaintext, who does not yet, and why. */

import { formatCount } from "./format.ts";
import type { FlipValue, FlipWorkloadValue } from "./mtls-flip-value.ts";

/** Whom a stage has opened, and who can refuse something. */
export function openOf(workloads: readonly FlipWorkloadValue[]): readonly FlipWorkloadValue[] {
  return workloads.filter(({ state }) => state !== "held-back" && state !== "no-proxy");
}

/** Those that the open stage has, and that of a flip that goes back have not gone back yet. */
export function lateOf({ state, workloads }: FlipValue): readonly FlipWorkloadValue[] {
  if (state === "reverting" || state === "reverted") return openOf(workloads);
  if (state === "editing") return [];
  return openOf(workloads).filter((each) => each.state !== "in-force");
}

/** `2 of 3 workloads refuse plaintext, 1 not known` */
export function enforcedWords(workloads: readonly FlipWorkloadValue[]): string {
  const open = openOf(workloads);
  const inForce = open.filter(({ state }) => state === "in-force").length;
  const unknown = open.filter(isUnknown).length;
  const rest = unknown === 0 ? "" : `, ${unknown} not known`;
  return `${inForce} of ${open.length} workloads refuse plaintext${rest}`;
}

/** Nobody tells of it now. */
function isUnknown({ state, plaintext }: FlipWorkloadValue): boolean {
  return state === "silent" && plaintext !== "taken";
}

/** Whether all that is opened has answered, or nobody can. */
export function isOnItsWay(workloads: readonly FlipWorkloadValue[]): boolean {
  return workloads.some(({ state }) => state === "pushed");
}

/** `1 of 3 workloads take plaintext` */
export function backWords(workloads: readonly FlipWorkloadValue[]): string {
  const held = workloads.filter(({ state }) => state === "held-back").length;
  return `${held} of ${held + openOf(workloads).length} workloads take plaintext`;
}

const absences: ReadonlyMap<string, string> = new Map([
  ["away", "its agent is away"],
  ["unheard", "not heard since the server's start"],
  ["envoy-away", "its Envoy is away, and its agent is there"],
  ["pod-gone", "its pod is gone, and may run on until its certificates end"],
  ["earlier-pod", "an earlier pod of this name is gone, and may run on until its certificates end"],
]);

export function absenceWords({
  absence,
  absenceUntil,
}: Pick<FlipWorkloadValue, "absence" | "absenceUntil">): string {
  const words = absences.get(absence) ?? "nobody tells of it now";
  return absenceUntil === "" ? words : `${words}, ${absenceUntil}`;
}

export function stateWords(workload: FlipWorkloadValue): string {
  const { state, draining } = workload;
  if (state === "silent") return `silent: ${absenceWords(workload)}`;
  if (state === "permissive") return "takes plaintext: the object does not say STRICT";
  if (draining === 0) return state;
  const connections = draining === 1 ? "connection" : "connections";
  return `${state}, ${formatCount(draining)} old plaintext ${connections} open`;
}
