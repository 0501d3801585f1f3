/** Why nothing is signed, for operators: each part says it of itself. */

import type { Problem } from "../../core/problem.ts";
import type { Kept } from "./kept.ts";
import type { SigningPool } from "./signing/signing-pool.ts";

/** A commit was seen to take 60 ms on a busy disk. */
const hungMsMax = 10_000;
const noKey: Problem = { detail: "the signing key cannot be used", hint: "" };
const hung: Problem = {
  detail: "the disk does not answer: the log is not written",
  hint: "look at the disk of --data-dir",
};
const jumped: Problem = {
  detail: "the clock has jumped",
  hint: "set the clock right, or: portcullis clock accept --reason TEXT",
};
const unsettled: Problem = {
  detail: "restored: waiting for agents to say what was lost",
  hint: "it ends by itself: docs/disaster-recovery.md",
};

/** Empty while all is well. */
export function signingProblems(
  signing: Pick<SigningPool, "isAvailable">,
  kept: Pick<Kept, "transparency" | "keeper" | "restoration" | "trustSecret">,
): readonly Problem[] {
  const { transparency, keeper, restoration, trustSecret } = kept;
  const { busySinceMs } = transparency.writer.state;
  const hungMs = performance.now() - (busySinceMs ?? Infinity);
  return [
    ...(signing.isAvailable ? [] : [noKey]),
    ...unwritable(transparency.writer.state),
    ...(hungMs > hungMsMax ? [hung] : []),
    ...(keeper.time.status.kind === "ok" ? [] : [jumped]),
    ...(restoration.isSettled ? [] : [unsettled]),
    ...(trustSecret?.problems ?? []),
  ];
}

function unwritable({
  failure,
  isDead,
}: Kept["transparency"]["writer"]["state"]): readonly Problem[] {
  if (failure === undefined) return [];
  const restart = isDead ? ": restart the server" : "";
  const detail = `the log cannot be written (${failure.code})${restart}`;
  return [{ detail, hint: failure.hint ?? "" }];
}
