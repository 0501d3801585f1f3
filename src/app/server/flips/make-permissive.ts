/** To let a target be permissive until a date, with somebody who answers for it. */

import { isRefusal } from "../../../core/flip/flip-error.ts";
import { planPermissive, type PermissiveEdit } from "../../../core/flip/permissive-edit.ts";
import type { FlipOrders } from "./flip-orders.ts";
import { FlipRefusedError, refuse } from "./flip-refusals.ts";

export interface PermissiveOrder {
  readonly untilMs: number;
  readonly owner: string;
  readonly operator: string;
  readonly isDryRun: boolean;
}

/** In force when it resolves. @throws FlipError, FlipRefusedError, LogError; whatever SQLite throws */
export async function makePermissive(
  { flips, judge, edits, configuration, nowMs }: FlipOrders,
  text: string,
  { untilMs, owner, operator, isDryRun }: PermissiveOrder,
): Promise<PermissiveEdit> {
  const now = Math.floor(nowMs());
  if (untilMs <= now) {
    const message = `expected a date that is to come, got ${new Date(untilMs).toISOString()}`;
    throw new FlipRefusedError("until-past", message, { hint: "give --until a later one" });
  }
  const target = judge.resolve(text);
  flips.assertApart(target);
  const sources = {
    view: configuration.viewOf(target.namespace),
    manifestOf: (ref: PermissiveEdit["ref"]) => configuration.manifestOf(ref) ?? {},
    createdMs: now,
  };
  const edit = planPermissive(target, sources, { untilMs, owner });
  if (isRefusal(edit)) refuse(edit);
  if (isDryRun || edit.isUnchanged) return edit;
  const next = `print it, and commit it: portcullis mtls permissive ${target.text} --until 30d --owner NAME -o yaml`;
  edits.assertWritable(edit.ref, next);
  await edits.replace(operator, edit.ref, edit.before?.manifest, edit.after.manifest);
  return edit;
}
