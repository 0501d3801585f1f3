/** To let a target be permissive until a date, with somebody who answers for it. */

import { isRefusal } from "../../../core/flip/flip-error.ts";
import {
  decidedByOthers,
  permissiveCommands,
  type OtherDecision,
} from "../../../core/flip/other-decisions.ts";
import { planPermissive, type PermissiveEdit } from "../../../core/flip/permissive-edit.ts";
import { targetPorts } from "../../../core/flip/target-modes.ts";
import { Holds } from "../../../core/policy/holds.ts";
import type { FlipOrders } from "./flip-orders.ts";
import { FlipRefusedError, refuse } from "./flip-refusals.ts";

export interface PermissiveOrder {
  readonly untilMs: number;
  readonly owner: string;
  readonly operator: string;
  readonly isDryRun: boolean;
}

export interface MadePermissive {
  readonly edit: PermissiveEdit;
  /** Of a namespace: what is no part of it. */
  readonly others: readonly OtherDecision[];
  /** Some of the target refuses plaintext, and does no more by this. */
  readonly endsStrict: boolean;
}

/** In force when it resolves. @throws FlipError, FlipRefusedError, LogError; whatever SQLite throws */
export async function makePermissive(
  { flips, judge, edits, configuration, nowMs }: FlipOrders,
  text: string,
  { untilMs, owner, operator, isDryRun }: PermissiveOrder,
): Promise<MadePermissive> {
  const now = Math.floor(nowMs());
  if (untilMs <= now) {
    const message = `expected a date that is to come, got ${new Date(untilMs).toISOString()}`;
    throw new FlipRefusedError("until-past", message, { hint: "give --until a later one" });
  }
  const target = judge.resolve(text);
  flips.assertApart(target);
  const view = configuration.viewOf(target.namespace);
  const others = judge.othersOf(target);
  if (judge.isDecidedByOthers(target)) {
    const texts = others.map((each) => each.target);
    refuse({ ...decidedByOthers(target, others), hint: permissiveCommands(texts).join("; ") });
  }
  const ports = targetPorts(view, target, new Holds(flips.holds));
  const endsStrict = ports.some(({ decision }) => decision.mode === "strict");
  const sources = {
    view,
    manifestOf: (ref: PermissiveEdit["ref"]) => configuration.manifestOf(ref) ?? {},
    createdMs: now,
  };
  const edit = planPermissive(target, sources, { untilMs, owner });
  if (isRefusal(edit)) refuse(edit);
  const made = { edit, others, endsStrict: endsStrict && !edit.isUnchanged };
  if (isDryRun || edit.isUnchanged) return made;
  const next = `print it, and commit it: portcullis mtls permissive ${target.text} --until 30d --owner NAME -o yaml`;
  edits.assertWritable(edit.ref, next);
  await edits.replace(operator, edit.ref, edit.before?.manifest, edit.after.manifest);
  return made;
}
