/**
 * What `root rotate` does next, from what the server says now. It remembers which authority it is to make active and no
 * more: whatever was interrupted, and whoever else gives commands meanwhile, the next answer of the server decides.
 */

import { holdersOf, isGate, isPassing, shapeOf, type RootShape } from "./root-judgement.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { RootStatusValue, RootStepValue } from "./root-value.ts";

export interface RotateGoal {
  /** The authority that is to sign alone in the end. */
  readonly authorityId: string;
  /** Whether it has been active: if it is not any more, somebody has taken that back. */
  readonly wasActive: boolean;
}

export type RotateCommand = "prepare" | "activate" | "retire";

export type RotateStep =
  | { readonly kind: "command"; readonly command: RotateCommand }
  | { readonly kind: "wait"; readonly wait: RotateWait }
  /** Nothing that comes by itself opens this. */
  | { readonly kind: "refused"; readonly step: RootStepValue }
  | { readonly kind: "stopped"; readonly why: string; readonly next: string }
  | { readonly kind: "done"; readonly authorityId: string };

export interface RotateWait {
  readonly until: "activate" | "retire" | "over";
  readonly confirmed: number;
  readonly total: number;
  readonly lagging: number;
  readonly laggards: readonly LaggardValue[];
  /** RFC 3339; empty where it is not known. */
  readonly opensAt: string;
  /** Whether the gate is open, and the server itself goes on. */
  readonly isServersTurn: boolean;
}

/** The goal after this answer; undefined as long as nothing has been prepared. */
export function goalAfter(
  goal: RotateGoal | undefined,
  status: RootStatusValue,
): RotateGoal | undefined {
  const { prepared, active, retiring, retired } = shapeOf(status);
  const isOn = retiring !== undefined || retired.length > 0;
  const authorityId = goal?.authorityId ?? prepared?.id ?? (isOn ? active?.id : undefined);
  if (authorityId === undefined) return undefined;
  return { authorityId, wasActive: goal?.wasActive === true || active?.id === authorityId };
}

/** @param goal as `goalAfter` gives it for this very status */
export function decideRotateStep(
  status: RootStatusValue,
  goal: RotateGoal | undefined,
): RotateStep {
  const shape = shapeOf(status);
  if (goal === undefined) return { kind: "command", command: "prepare" };
  const { authorityId } = goal;
  if (shape.prepared?.id === authorityId) {
    return goal.wasActive ? rolledBack(authorityId) : commandStep(status, shape, "activate");
  }
  if (shape.active?.id !== authorityId) return withdrawn(authorityId);
  if (shape.retiring !== undefined) return commandStep(status, shape, "retire");
  if (shape.retired.length > 0) return { kind: "wait", wait: confirmationWait(status) };
  return { kind: "done", authorityId };
}

function commandStep(
  status: RootStatusValue,
  shape: RootShape,
  command: "activate" | "retire",
): RotateStep {
  const step = status.steps.find((each) => each.command === command);
  const isOpen = step?.allowed === true;
  if (isOpen && status.automatic === "") return { kind: "command", command };
  const isLate = step !== undefined && isPassing(step.reason);
  if (step !== undefined && !isOpen && !isLate && !isGate(step.reason)) {
    return { kind: "refused", step };
  }
  const opensAt = step?.opensAt ?? "";
  const wait =
    command === "activate"
      ? verifiersWait(status, opensAt)
      : holdersWait(status, shape.retiring, opensAt);
  return { kind: "wait", wait: { ...wait, isServersTurn: isOpen || isLate } };
}

function verifiersWait({ verifiers }: RootStatusValue, opensAt: string): RotateWait {
  const { confirmed, total, lagging, laggards } = verifiers;
  const counts = { confirmed, total, lagging, laggards, opensAt, isServersTurn: false };
  return { until: "activate", ...counts };
}

function holdersWait(
  status: RootStatusValue,
  retiring: RootShape["retiring"],
  opensAt: string,
): RotateWait {
  const left = holdersOf(status, retiring);
  const total = left?.unexpired ?? 0;
  const lagging = total - (left?.waived ?? 0);
  return {
    until: "retire",
    // Certificates expire, and confirm nothing; of the others there are more with each renewal.
    confirmed: 0,
    total,
    lagging,
    laggards: left?.named ?? [],
    opensAt: opensAt === "" ? (left?.lastEndsAt ?? "") : opensAt,
    isServersTurn: false,
  };
}

/** Until nobody trusts what has been retired. */
export function confirmationWait(status: RootStatusValue): RotateWait {
  const wait = verifiersWait(status, "");
  const ends = wait.laggards.map(({ endsAt }) => endsAt).toSorted();
  const isKnown = ends.length === wait.lagging && !ends.includes("");
  const opensAt = isKnown ? (ends.at(-1) ?? "") : "";
  return { ...wait, until: "over", opensAt, isServersTurn: wait.lagging === 0 };
}

function rolledBack(authorityId: string): RotateStep {
  const why = `authority ${authorityId} is prepared again: somebody has rolled back, or restored a backup`;
  return {
    kind: "stopped",
    why,
    next: `${whoDidIt}; go on: portcullis root rotate --resume; or withdraw it, when nothing hangs on its root: portcullis root abort`,
  };
}

const whoDidIt = "on the server's machine, who did it: portcullis audit tail";

function withdrawn(authorityId: string): RotateStep {
  const why = `somebody has withdrawn authority ${authorityId}, begun another rotation, or restored a backup`;
  return { kind: "stopped", why, next: `portcullis root status; ${whoDidIt}` };
}
