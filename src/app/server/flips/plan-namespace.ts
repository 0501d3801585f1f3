/** In which order the targets of a namespace can go strict. Each may take a tenth of a second: others have their turn in between. */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Caller } from "../../../core/evidence/caller.ts";
import { FlipError, isRefusal } from "../../../core/flip/flip-error.ts";
import {
  planFlips,
  type PlanCaller,
  type PlannedFlip,
  type PlanTarget,
} from "../../../core/flip/flip-plan.ts";
import { namespaceTargets } from "../../../core/flip/namespace-targets.ts";
import { targetMode } from "../../../core/flip/target-modes.ts";
import { membersOf, type FlipTarget } from "../../../core/flip/target.ts";
import type { FlipOrders } from "./flip-orders.ts";
import type { Judgement } from "./judgement.ts";

export interface PlannedTarget extends PlannedFlip {
  readonly mode: string;
  /** Undefined for workloads that nothing can select alone. */
  readonly judgement: Judgement | undefined;
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
  const mode = targetMode(view, target);
  const edit = judge.planOf(target);
  const { judgement } = await judge.judge(target, edit, lookBackMs);
  const { kind, callers, silent } = judgement.verdict;
  const isHindered = isRefusal(edit) && mode !== "strict";
  return {
    plan: {
      target: target.text,
      mode,
      workloads: membersOf(view, target).members.map(({ name }) => name),
      // Who cannot be flipped has no turn.
      verdict: isHindered && kind === "safe" ? "unknown" : kind,
      callers: namesOnce(callers.filter(({ isWaived }) => !isWaived)),
      silent: silent.filter(({ isWaived }) => !isWaived),
    },
    judgement,
    refusal: isHindered ? edit : undefined,
  };
}

function namesOnce(callers: readonly Caller[]): readonly PlanCaller[] {
  const byName = new Map(
    callers.map((each) => [each.name, { name: each.name, isMeshed: isMeshed(each) }]),
  );
  return [...byName.values()];
}

/** @returns undefined for whom nobody knows */
function isMeshed({ holder }: Caller): boolean | undefined {
  if (holder.kind === "workload") return holder.isMeshed;
  // Its proxy is told to send plaintext, or has shown a certificate of the mesh.
  return holder.kind === "configuration" || holder.kind === "identity" ? true : undefined;
}

function withRefusal(planned: PlannedFlip, looked: Looked | undefined): PlannedTarget {
  const mode = looked?.plan.mode ?? "";
  const judgement = looked?.judgement;
  const refusal = looked?.refusal;
  const waitsFor = firstOf([
    ...(refusal === undefined ? [] : [refusal.message]),
    ...planned.waitsFor,
  ]);
  return { ...planned, waitsFor, next: refusal?.hint ?? planned.next, mode, judgement };
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
  return { target, order: 0, waitsFor: [why], next: "", mode: "", judgement: undefined };
}
