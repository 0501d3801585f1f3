/** Why nothing is heard of a workload of a flip: which process it is that is not there. */

import type { MemberState } from "./flip-view.ts";
import { timeText } from "./flip-wait.ts";

export function absenceWords({
  absence,
  absentUntilMs,
  hasTwin,
}: Pick<MemberState, "absence" | "absentUntilMs" | "hasTwin">): string {
  switch (absence) {
    case "envoy-away":
      return "its agent tells, and its Envoy has no stream with it";
    case "unheard":
      return hasTwin === true
        ? "is told of, and another agent of its identity, which may have its name, was not heard since the server's start"
        : "was not heard since the server's start";
    case "pod-gone":
      return `its pod is gone, and ${mayRunOn(absentUntilMs)}`;
    case "earlier-pod":
      return `an earlier pod of this name is gone, and ${mayRunOn(absentUntilMs)}`;
    case "away":
    case undefined:
      return "no agent tells of it now";
    default:
      return absence satisfies never;
  }
}

/** Whoever was deleted by force. */
function mayRunOn(untilMs: number | undefined): string {
  const when = untilMs === undefined ? "" : `, ${timeText(untilMs)}`;
  return `no node has said that it ended: what ran there may run on until its certificates end${when}`;
}
