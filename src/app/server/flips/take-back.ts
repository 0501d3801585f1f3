/** To take a flip back, at any time, whether it is under way or long done. It asks for no evidence. */

import { isRefusal } from "../../../core/flip/flip-error.ts";
import { revertFlip } from "../../../core/flip/flip-machine.ts";
import { hasEnded, type Flip } from "../../../core/flip/flip.ts";
import { flipsAround, flipsOf, type FlipOrders, type ObjectChange } from "./flip-orders.ts";
import { refuse, type ServerRefusal } from "./flip-refusals.ts";
import type { Flips } from "./flips.ts";

export interface RevertOrder {
  readonly operator: string;
  readonly reason: string;
  readonly isDryRun: boolean;
}

export interface TakenBack extends ObjectChange {
  readonly flip: Flip;
}

/** In force when it resolves. @throws FlipError, FlipRefusedError, LogError; whatever SQLite throws */
export async function takeBack(
  orders: FlipOrders,
  text: string,
  { operator, reason, isDryRun }: RevertOrder,
): Promise<TakenBack> {
  const { flips, edits, nowMs } = orders;
  const flip = find(orders, text);
  const change = changeBack(orders, flip);
  const cause = { kind: "operator", operator, reason } as const;
  const decide: Parameters<Flips["order"]>[1] = (now, object) => {
    const isStanding = edits.isStanding(now);
    const next = revertFlip(now, cause, { object, isStanding }, Math.floor(nowMs()));
    if (isRefusal(next)) refuse(asPart(orders, text, next));
    return next;
  };
  const done = isDryRun ? decide(flip, edits.objectSays(flip)) : await flips.order(flip, decide);
  return { ...change, flip: done };
}

/** Where a flip of another target has made it strict, that one is named. */
function asPart(orders: FlipOrders, text: string, refusal: ServerRefusal): ServerRefusal {
  const around = flipsAround(orders, text).at(-1);
  if (around === undefined) return refusal;
  const { id, target } = around;
  const alone = `portcullis mtls permissive ${text} --until 30d --owner NAME`;
  const whole = `take all of that back: portcullis mtls revert ${target.text}`;
  return {
    ...refusal,
    message: `${refusal.message}, and it is part of flip ${id} of ${target.text}`,
    hint: hasEnded(around) ? `${whole}; or this alone: ${alone}` : whole,
  };
}

/** Of the same target the one under way, else the last. @throws FlipError, FlipRefusedError `flip-unknown` */
function find(orders: FlipOrders, text: string): Flip {
  const flip = flipsOf(orders, text).at(-1);
  if (flip !== undefined) return flip;
  const others = orders.flips.underWay.map(({ target }) => target.text).slice(0, namedMax);
  const hint =
    others.length > 0
      ? `under way: ${others.join(", ")}`
      : `to make it permissive all the same: portcullis mtls permissive ${text} --until 30d --owner NAME`;
  const message = `there is no flip of ${text}`;
  return refuse(asPart(orders, text, { code: "flip-unknown", message, hint }));
}

const namedMax = 3;

function changeBack({ edits, configuration }: FlipOrders, flip: Flip): ObjectChange {
  const edit = edits.plannedBack(flip);
  if (edit.kind === "nothing") return { beforeJson: "", afterJson: "" };
  const beforeJson = configuration.find(edit.ref)?.json ?? "";
  const afterJson = edit.kind === "put" ? JSON.stringify(edit.after.manifest) : "";
  return { beforeJson, afterJson };
}
