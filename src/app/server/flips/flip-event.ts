/** What the log says of a step of a flip, before it is in force: where it is then, by whose word, and the digest of all of it. */

import { hash } from "node:crypto";
import { encodeFlip } from "../../../core/flip/flip-codec.ts";
import { hasEnded, type Flip, type RevertCause } from "../../../core/flip/flip.ts";
import { formatStage } from "../../../core/flip/stages.ts";
import { refKey } from "../../../core/resources/policy-object.ts";
import type { LogEvent } from "../log/log-keeper.ts";

/** Octets of the names in an event, of which its detail has 4,096 in all. */
const namesMax = 3_000;

/**
 * @param before undefined for one that begins
 * @param joining whom the last stage opens: it keeps no names
 */
export function flipEvent(
  flip: Flip,
  before: Flip | undefined,
  joining: readonly string[] = [],
): LogEvent {
  const { target, state } = flip;
  const cause = "cause" in state && state.kind === "reverting" ? state.cause : undefined;
  const byOperator = cause?.kind === "operator" ? cause : undefined;
  const reason = byOperator?.reason ?? (state.kind === "superseded" ? state.why : "");
  return {
    type: "flip-changed",
    operator: before === undefined ? flip.operator : (byOperator?.operator ?? ""),
    subject: target.text,
    reason,
    digest: hash("sha256", encodeFlip(flip), "buffer"),
    detail: JSON.stringify({
      flip: flip.id,
      state: state.kind,
      ...detailOf(flip, before, { cause, joining }),
    }),
  };
}

interface Step {
  readonly cause: RevertCause | undefined;
  readonly joining: readonly string[];
}

function detailOf(flip: Flip, before: Flip | undefined, { cause, joining }: Step): object {
  if (before === undefined) return beginning(flip);
  if (cause !== undefined) {
    return {
      cause: cause.kind,
      ...("callers" in cause && named("callers", cause.callers)),
      ...("objects" in cause && named("objects", cause.objects)),
    };
  }
  const { state } = flip;
  if (state.kind === "done" && state.unseen.length > 0) return named("unseen", state.unseen);
  if (state.kind === "editing" && state.isWritten === true) return { isWritten: true };
  const stage = flip.opened.at(-1);
  if (stage === undefined || hasEnded(flip)) return {};
  const isOpened = before.opened.length < flip.opened.length;
  const at = flip.stages[stage.index];
  return {
    stage: at === undefined ? "" : formatStage(at),
    ...(isOpened
      ? named("workloads", stage.workloads.length > 0 ? stage.workloads : joining)
      : { inForce: stage.inForceMs !== undefined }),
  };
}

function beginning({ stages, lookBackMs, revertWindowMs, revertOnRefused, edit }: Flip): object {
  return {
    stages: stages.map(formatStage).join(","),
    lookBackSeconds: lookBackMs / 1_000,
    revertWindowSeconds: revertWindowMs / 1_000,
    revertOnRefused: revertOnRefused ?? 0,
    object: refKey(edit.ref),
    awaitsObject: !edit.isOurs,
  };
}

/** Those that have room, and how many have none. */
function named(what: string, names: readonly string[]): object {
  let room = namesMax;
  const shown = names.filter((name) => {
    // What JSON adds to it, at most: a name may be what a caller says.
    room -= Buffer.byteLength(JSON.stringify(name)) + 1;
    return room >= 0;
  });
  return { [what]: shown, unnamed: names.length - shown.length };
}
