/** A waiver of a proxy's silence counts only while the proxy is silent: whoever tells is waited for as others are. */

import { lagMs } from "../evidence/evidence-lag.ts";
import type { MemberState } from "./flip-view.ts";

/** Of those whose silence is waived, those who are silent. @param nowMs by whoever looks */
export function withSilence<T extends MemberState>(
  workloads: readonly T[],
  nowMs: number,
): readonly T[] {
  return workloads.map((each) =>
    each.isWaived && !isSilent(each, nowMs) ? { ...each, isWaived: false } : each,
  );
}

/** Nobody tells of it, or is behind; or what is missing does not come any more. */
function isSilent(
  { isConnected, hasGap, evidenceUntilMs = -Infinity }: MemberState,
  nowMs: number,
): boolean {
  return !isConnected || hasGap || evidenceUntilMs < nowMs - lagMs;
}
