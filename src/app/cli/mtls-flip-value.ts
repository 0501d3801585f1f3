/** A flip as a value for programs: the wire's answer with plain numbers. Times are RFC 3339, empty where there is none. */

import type { FlipStatus } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { nameValue, type NameValue } from "./mtls-status-value.ts";
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
  readonly now: string;
};

type FlipWorkloadValue = {
  readonly name: string;
  /** held-back, pushed, draining, in-force, silent, refused */
  readonly state: string;
  /** Old plaintext connections that are still open. */
  readonly draining: number;
};

type FlipWaitValue = {
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
    workloads: flip.workloads.map(({ name, state: its, draining }) => ({
      name,
      state: its,
      draining,
    })),
    waits: flip.waits.map(({ kind, name, detail }) => ({ kind, name, detail })),
    refused: flip.refused.map(callerValue),
    cause,
    causeNames,
    windowEndsAt: timeText(flip.windowEndsAt),
    object: nameValue(flip.object),
    awaitsObject,
    unseen: flip.unseen,
    now: timeText(flip.now),
  };
}

const over: ReadonlySet<string> = new Set(["done", "reverted", "superseded"]);

/** Whether it does nothing any more. */
export function isOver({ state }: Pick<FlipValue, "state">): boolean {
  return over.has(state);
}
