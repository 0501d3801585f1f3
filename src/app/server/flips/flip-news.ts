/** What is said of a flip's steps in the diagnostic log, and counted. */

import { causeNames, type Flip } from "../../../core/flip/flip.ts";
import { formatStage } from "../../../core/flip/stages.ts";
import type { EventFlip, FlipEvents } from "../../../edge/telemetry/flip-events.ts";

export function eventFlip({ id, target }: Flip): EventFlip {
  return { flip: id, target: target.text };
}

export function sayStep(events: FlipEvents, after: Flip, before: Flip): void {
  const { state, opened, stages } = after;
  const named = eventFlip(after);
  if (state.kind === "reverting" && before.state.kind !== "reverting") {
    const { cause } = state;
    const operator = cause.kind === "operator" ? cause.operator : "";
    events.reverting(named, cause.kind, operator, causeNames(cause));
    return;
  }
  // What is durable besides is for the next start.
  if (state.kind === "editing") return;
  const stage = stages[opened.at(-1)?.index ?? -1];
  events.stepped(named, state.kind, stage === undefined ? "" : formatStage(stage));
  if (state.kind === "done" && state.unseen.length > 0) events.unseen(named, state.unseen);
}
