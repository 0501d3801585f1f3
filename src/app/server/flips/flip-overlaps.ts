/** Why a flip does not begin beside others. */

import { areApart, targetKey, type FlipTarget } from "../../../core/flip/target.ts";
import { FlipRefusedError } from "./flip-refusals.ts";

/** @throws FlipRefusedError where another has workloads in common with it */
export function assertApart(target: FlipTarget, others: readonly FlipTarget[]): void {
  const other = others.find((each) => !areApart(each, target));
  if (other === undefined) return;
  const { text } = other;
  const message = `expected no flip of ${target.text} under way, got one of ${text}`;
  const isSame = targetKey(other) === targetKey(target);
  const hint =
    `follow it: portcullis mtls flip ${text}; or take it back: portcullis mtls revert ${text}; ` +
    `to waive somebody meanwhile: portcullis mtls waivers add NAME --target ${text} --reason TEXT --for 1d`;
  throw new FlipRefusedError(isSame ? "flip-running" : "flip-overlaps", message, { hint });
}

export function flipsFull(): FlipRefusedError {
  const message = "expected fewer flips under way";
  const hint = "which there are: portcullis mtls status; end some first";
  return new FlipRefusedError("flips-full", message, { hint });
}
