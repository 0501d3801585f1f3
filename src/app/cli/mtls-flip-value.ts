/** A flip as a value for programs: the wire's answer with plain numbers. Times are RFC 3339, empty where there is none. */

import type { FlipStatus, FlipWorkload } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { nameValue, type NameValue } from "./mtls-status-value.ts";
import { otherValue, type OtherValue } from "./mtls-surroundings.ts";
import { callerValue, type CallerValue } from "./mtls-verdict-value.ts";
import { timeText } from "./time-text.ts";

export type FlipValue = {
  readonly id: number;
  readonly target: string;
  /** editing, stage, watching, reverting, done, reverted, superseded */
  readonly state: string;
  readonly operator: string;
  readonly startedAt: string;
  readonly endedAt: string;
  /** `1`, `10%`, `all` */
  readonly stages: readonly string[];
  /** Of the open one, from 0. */
  readonly stage: number;
  /** One that adds nobody is passed over. */
  readonly stagesOpened: number;
  /** Seconds that it is watched after the last stage. */
  readonly revertWindow: number;
  readonly workloads: readonly FlipWorkloadValue[];
  readonly waits: readonly FlipWaitValue[];
  /** Whose plaintext was refused since the first stage. */
  readonly refused: readonly CallerValue[];
  readonly cause: string;
  readonly causeNames: readonly string[];
  readonly windowEndsAt: string;
  readonly object: NameValue;
  readonly awaitsObject: boolean;
  /** Of one that is done: those that have not told of the whole window. */
  readonly unseen: readonly string[];
  /** Of one that goes back or was taken back: those that may refuse plaintext still. */
  readonly notBack: readonly string[];
  /** The way back deletes the object. */
  readonly createsObject: boolean;
  /** Of a namespace: what is no part of it, as it is now. */
  readonly decidedByOthers: readonly OtherValue[];
  readonly now: string;
};

export type FlipWorkloadValue = {
  readonly name: string;
  /** held-back, pushed, draining, in-force, silent, refused, permissive, no-proxy */
  readonly state: string;
  /** Old plaintext connections that are still open. */
  readonly draining: number;
  /** Of a silent one: away, unheard, envoy-away, pod-gone, earlier-pod; else empty. */
  readonly absence: string;
  /** Of the last two: when its certificates end; else empty. */
  readonly absenceUntil: string;
  /** By what its proxies have acknowledged last: refused, taken; empty where nobody knows. */
  readonly plaintext: string;
  /** Its silence is passed over. */
  readonly waived: boolean;
};

export type FlipWaitValue = {
  /** object, proxy, connections, evidence, verdict, window */
  readonly kind: string;
  readonly name: string;
  readonly detail: string;
};

export function flipValue(flip: FlipStatus): FlipValue {
  const { target, state, operator, stages, stage, cause, causeNames, awaitsObject } = flip;
  return {
    id: Number(flip.id),
    target,
    state,
    operator,
    startedAt: timeText(flip.startedAt),
    endedAt: timeText(flip.endedAt),
    stages,
    stage,
    stagesOpened: flip.stagesOpened,
    revertWindow: Number(flip.revertWindow),
    workloads: flip.workloads.map(workloadValue),
    waits: flip.waits.map(({ kind, name, detail }) => ({ kind, name, detail })),
    refused: flip.refused.map(callerValue),
    cause,
    causeNames,
    windowEndsAt: timeText(flip.windowEndsAt),
    object: nameValue(flip.object),
    awaitsObject,
    unseen: flip.unseen,
    notBack: flip.notBack,
    createsObject: flip.createsObject,
    decidedByOthers: flip.decidedByOthers.map(otherValue),
    now: timeText(flip.now),
  };
}

function workloadValue(workload: FlipWorkload): FlipWorkloadValue {
  const { name, state, draining, absence, plaintext, waived } = workload;
  const absenceUntil = timeText(workload.absenceUntil);
  return { name, state, draining, absence, absenceUntil, plaintext, waived };
}

const over: ReadonlySet<string> = new Set(["done", "reverted", "superseded"]);

/** Whether it does nothing any more. */
export function isOver({ state }: Pick<FlipValue, "state">): boolean {
  return over.has(state);
}
