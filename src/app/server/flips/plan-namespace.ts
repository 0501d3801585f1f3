/** In which order the targets of a namespace can go strict. Each may take a tenth of a second: others have their turn in between. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { FlipError, isRefusal, type FlipRefusal } from "../../../core/flip/flip-error.ts";
import { planFlips, type PlannedFlip, type PlanTarget } from "../../../core/flip/flip-plan.ts";
import { namespaceTargets } from "../../../core/flip/namespace-targets.ts";
import type { StrictEdit } from "../../../core/flip/strict-edit.ts";
import { modeOfAll, ownObject } from "../../../core/flip/target-modes.ts";
import { membersOf, type FlipTarget } from "../../../core/flip/target.ts";
import type { ResourceRef } from "../../../core/resources/resource.ts";
import type { FlipOrders } from "./flip-orders.ts";
import type { Judgement } from "./judgement.ts";
import { planCallers } from "./plan-callers.ts";
import { flipUnderWayWords } from "./surroundings-messages.ts";

export interface PlannedTarget extends PlannedFlip {
  readonly mode: string;
  /** Undefined for workloads that nothing can select alone. */
  readonly judgement: Judgement | undefined;
  /** An object of its own: undefined where the namespace's or the mesh's decides. */
  readonly decidedBy: ResourceRef | undefined;
}

/** Of each target is told: a namespace may have hundreds of them. */
export const planRowsMax = 20;

interface Looked {
  readonly plan: PlanTarget;
  readonly judgement: Judgement;
  /** Why no object can make it strict, and the next command. */
  readonly refusal: { readonly message: string; readonly hint: string } | undefined;
}

/** @throws FlipError, FlipRefusedError */
export async function planNamespace(
  orders: FlipOrders,
  namespace: string,
  lookBackMs: number,
): Promise<readonly PlannedTarget[]> {
  const { judge, configuration } = orders;
  // Of a namespace that is none it says so.
  if (judge.resolve(namespace).name !== "") throw notANamespace(namespace);
  const { targets, others } = namespaceTargets(configuration.viewOf(namespace), namespace);
  const looked = new Map<string, Looked>();
  for (const target of targets) {
    await nextTurn();
    looked.set(target.text, await look(orders, target, lookBackMs));
  }
  const planned = planFlips(Array.from(looked.values(), ({ plan }) => plan));
  const ordered = planned.map((each) => withRefusal(each, looked.get(each.target)));
  return [...ordered, ...others.map(({ name, why }) => unselected(name, why))];
}

async function look(
  { judge, configuration }: FlipOrders,
  target: FlipTarget,
  lookBackMs: number,
): Promise<Looked> {
  const view = configuration.viewOf(target.namespace);
  const edit = judge.planOf(target);
  const { judgement } = await judge.judge(target, edit, lookBackMs);
  const { kind, callers, silent } = judgement.verdict;
  const mode = modeOfAll(judgement.ports.map(({ decision }) => decision.mode));
  const refusal = mode === "strict" ? undefined : (busyWith(judgement) ?? refusalOf(edit));
  return {
    plan: {
      target: target.text,
      mode,
      workloads: membersOf(view, target).members.map(({ name }) => name),
      // Who cannot be flipped has no turn.
      verdict: refusal !== undefined && kind === "safe" ? "unknown" : kind,
      callers: planCallers(callers.filter(({ isWaived }) => !isWaived)),
      silent: silent.filter(({ isWaived }) => !isWaived),
    },
    judgement,
    refusal,
  };
}

function refusalOf(edit: StrictEdit | FlipRefusal): Looked["refusal"] {
  return isRefusal(edit) ? edit : undefined;
}

/** Nothing is flipped beside a flip that is under way. */
function busyWith({ target, flips }: Judgement): Looked["refusal"] {
  const [first] = flips;
  if (first === undefined) return undefined;
  const hint = `portcullis mtls flip ${first.flip.target.text}`;
  return { message: flipUnderWayWords(first, target.text), hint };
}

function withRefusal(planned: PlannedFlip, looked: Looked | undefined): PlannedTarget {
  const mode = looked?.plan.mode ?? "";
  const judgement = looked?.judgement;
  const refusal = looked?.refusal;
  const waitsFor = firstOf([
    ...(refusal === undefined ? [] : [refusal.message]),
    ...planned.waitsFor,
  ]);
  const decidedBy = judgement && ownObject(judgement.ports);
  const next = refusal?.hint ?? planned.next;
  return { ...planned, waitsFor, next, mode, judgement, decidedBy };
}

function notANamespace(text: string): FlipError {
  const [namespace = ""] = text.split("/", 1);
  const message = `expected a namespace, got ${JSON.stringify(text.slice(0, 80))}, which is of one`;
  return new FlipError("target-unknown", message, {
    hint: `write: portcullis mtls plan -n ${namespace}; or of that alone: portcullis mtls check ${text}`,
  });
}

function firstOf(waits: readonly string[]): readonly string[] {
  const more = waits.length - planRowsMax;
  return more > 0 ? [...waits.slice(0, planRowsMax), `and ${more} more`] : waits;
}

function unselected(target: string, why: string): PlannedTarget {
  return {
    target,
    order: 0,
    waitsFor: [why],
    next: "",
    mode: "",
    judgement: undefined,
    decidedBy: undefined,
  };
}
