/** To begin a flip: what is judged is what is begun, and what is not SAFE is not. */

import { takesNoCalls } from "../../../core/evidence/verdict.ts";
import { isRefusal } from "../../../core/flip/flip-error.ts";
import { newFlip, type Flip, type NewFlip } from "../../../core/flip/flip.ts";
import { defaultStages, parseStages } from "../../../core/flip/stages.ts";
import type { StrictEdit } from "../../../core/flip/strict-edit.ts";
import type { FlipTarget } from "../../../core/flip/target.ts";
import { changeOf, type FlipOrders, type ObjectChange } from "./flip-orders.ts";
import { FlipRefusedError, refuse } from "./flip-refusals.ts";
import type { Judgement } from "./judgement.ts";

export interface StartOrder {
  readonly text: string;
  /** "" for the default. */
  readonly stages: string;
  readonly revertWindowMs: number;
  readonly revertOnRefused: number | undefined;
  readonly lookBackMs: number;
  readonly isDryRun: boolean;
  /** Somebody else writes the object. */
  readonly awaitsObject: boolean;
  readonly operator: string;
}

export interface Started extends ObjectChange {
  readonly flip: Flip;
  readonly judgement: Judgement;
}

/** What would be changed is shown where it is refused, too. */
export class NotSafeError extends FlipRefusedError {
  readonly change: ObjectChange;

  constructor({ target, verdict, ...rest }: Judgement, change: ObjectChange) {
    const got = verdict.kind === "unsafe" ? "UNSAFE" : "UNKNOWN";
    super("not-safe", `expected ${target.text} to be SAFE, got ${got}`, {
      hint: `who is in the way: portcullis mtls check ${target.text}`,
      judgement: { target, verdict, ...rest },
    });
    this.change = change;
  }
}

/** @throws FlipError, FlipRefusedError, LogError; whatever SQLite throws */
export async function startFlip(orders: FlipOrders, order: StartOrder): Promise<Started> {
  const { flips, judge, configuration } = orders;
  const stages = parseStages(order.stages === "" ? defaultStages : order.stages);
  const target = judge.resolve(order.text);
  flips.assertApart(target);
  const plan = planOf(orders, target, order);
  const { sequence } = configuration;
  const { judgement } = await judge.judge(target, plan, order.lookBackMs);
  const now = configuration.sequence === sequence ? plan : planOf(orders, target, order);
  if (textOf(now) !== textOf(plan)) throw objectChanged(target);
  const change = changeOf(plan);
  const flip = { ...newFlipOf(order, target, plan, orders.nowMs()), stages };
  const dry = newFlip({ ...flip, id: 0 });
  if (takesNoCalls(judgement.verdict)) throw withoutCalls(judgement);
  const { members } = judgement.verdict.coverage;
  // One that has just come is known by policy first.
  const isNobody = flips.report(dry).workloads.every(({ stage }) => stage === "no-proxy");
  if (members === 0 && isNobody) throw withoutProxy(judgement);
  if (judgement.verdict.kind !== "safe") throw new NotSafeError(judgement, change);
  const begun = order.isDryRun ? dry : await flips.begin(flip);
  return { flip: begun, judgement, ...change };
}

function planOf(
  { judge, edits }: FlipOrders,
  target: FlipTarget,
  { awaitsObject }: StartOrder,
): StrictEdit {
  const plan = judge.planOf(target, !awaitsObject);
  if (isRefusal(plan)) refuse(plan);
  const next = `print it, commit it, and let the flip wait for it: portcullis mtls flip ${target.text} --to strict -o yaml`;
  if (!awaitsObject) edits.assertWritable(plan.ref, next);
  return plan;
}

function textOf(plan: StrictEdit): string {
  return JSON.stringify([changeOf(plan), plan.ports, plan.exceptPorts]);
}

function newFlipOf(
  order: StartOrder,
  target: FlipTarget,
  { ref, ports, exceptPorts, ...edit }: StrictEdit,
  nowMs: number,
): Omit<NewFlip, "id" | "stages"> {
  const { operator, lookBackMs, revertWindowMs, revertOnRefused, awaitsObject } = order;
  const { beforeJson, afterJson } = changeOf(edit);
  return {
    target,
    operator,
    startedMs: Math.floor(nowMs),
    lookBackMs,
    revertWindowMs,
    revertOnRefused,
    ports,
    exceptPorts,
    edit: {
      ref,
      beforeJson: beforeJson === "" ? undefined : beforeJson,
      afterJson,
      isOurs: !awaitsObject,
    },
  };
}

/** A flip of nobody would wait for ever, and hold back whoever comes. */
function withoutProxy(judgement: Judgement): FlipRefusedError {
  const { text, namespace } = judgement.target;
  const message = `expected a proxy of ${text}, which could refuse plaintext, got none since the look-back began`;
  const hint = `give it a sidecar, and look who is there: portcullis mtls status -n ${namespace}`;
  return new FlipRefusedError("target-without-proxy", message, { hint, judgement });
}

/** Nobody could be made strict, and nobody would be refused. */
function withoutCalls(judgement: Judgement): FlipRefusedError {
  const { text, namespace } = judgement.target;
  const message = `expected a workload of ${text} that takes calls, got such alone as only call: STRICT would refuse nobody`;
  const hint = `what is there: portcullis get -n ${namespace}; its object can say STRICT without a flip`;
  return new FlipRefusedError("target-takes-no-calls", message, { hint, judgement });
}

function objectChanged({ text }: FlipTarget): FlipRefusedError {
  const message = `expected what decides for ${text} to stay while it was judged, got another`;
  const hint = `again: portcullis mtls flip ${text} --to strict`;
  return new FlipRefusedError("object-changed", message, { hint });
}
