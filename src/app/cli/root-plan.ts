/** What a rotation would do here, step by step and for how long, by what the server knows now. Pure. */

import { isClass } from "./root-classes.ts";
import { holdersOf, isGate, isRotating, outgoingOf, shapeOf } from "./root-judgement.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { lifeWarnings } from "./root-life.ts";
import { allSteps, type PlanSpan, type PlanStep } from "./root-plan-steps.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import { pasteable, type ServerTarget } from "./server-target.ts";
import type { RootStatusValue } from "./root-value.ts";

export type PlanValue = {
  readonly now: string;
  readonly trustDomain: string;
  /** Whether a rotation has begun. */
  readonly rotating: boolean;
  readonly automatic: string;
  readonly steps: readonly PlanStep[];
  readonly seconds: PlanSpan;
  /** Who lags now, and would be waited for. */
  readonly lagging: number;
  readonly laggards: readonly LaggardValue[];
  /** Readers that exist, and certificates that were signed elsewhere: nobody can observe them, and each holds its gate until it is waived. */
  readonly unobservable: readonly { readonly name: string; readonly waived: boolean }[];
  /** Why the next command would be refused, whoever confirms; empty where it would not. */
  readonly refusal: string;
  /** What is worth a look before it. */
  readonly warnings: readonly string[];
  readonly next: readonly NextValue[];
};

export function planOf(status: RootStatusValue, target: ServerTarget): PlanValue {
  const shape = shapeOf(status);
  const first = nextStep(status);
  const steps = allSteps(status).map((step, index): PlanStep => {
    const state = index < first ? "done" : index === first ? "now" : "later";
    return { ...step, command: pasteable(target, step.command), state };
  });
  const left = steps.filter(({ state }) => state !== "done");
  const sum = (of: (span: PlanSpan) => number): number =>
    left.reduce((total, { seconds }) => total + of(seconds), 0);
  const { laggards, lagging } = status.verifiers;
  const holders = holdersOf(status, outgoingOf(shape))?.named ?? [];
  const classes = [...laggards, ...holders].filter(isClass);
  const waived = status.waivers.map(({ name }) => name).filter((name) => name.startsWith("class/"));
  const refusal = refusalOf(status, first);
  const rotating = isRotating(shape);
  const next = `portcullis root rotate${rotating ? " --resume" : ""}`;
  return {
    now: status.now,
    trustDomain: status.trustDomain,
    rotating,
    automatic: status.automatic,
    steps,
    seconds: { atLeast: sum(({ atLeast }) => atLeast), atMost: sum(({ atMost }) => atMost) },
    lagging,
    laggards,
    unobservable: [
      ...classes.map(({ name }) => ({ name, waived: false })),
      ...waived.map((name) => ({ name, waived: true })),
    ],
    refusal,
    warnings: lifeWarnings(status),
    next: nextOf(target, refusal === "" ? next : "portcullis root status"),
  };
}

const commandsOf: Readonly<Record<ReturnType<typeof nextStep>, string>> = {
  0: "prepare",
  1: "activate",
  4: "retire",
  6: "",
};

function refusalOf({ steps }: RootStatusValue, first: ReturnType<typeof nextStep>): string {
  const next = steps.find(({ command }) => command === commandsOf[first]);
  return next === undefined || next.allowed || isGate(next.reason) ? "" : next.detail;
}

/** Its index in `allSteps`. */
function nextStep(status: RootStatusValue): 0 | 1 | 4 | 6 {
  const { prepared, retiring, retired } = shapeOf(status);
  if (prepared !== undefined) return 1;
  if (retiring !== undefined) return 4;
  return retired.length > 0 ? 6 : 0;
}
