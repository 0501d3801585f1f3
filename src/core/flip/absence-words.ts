/** Why nothing is heard of a workload of a flip: which process it is that is not there. */

import type { MemberState } from "./flip-view.ts";

export function absenceWords({
  absence,
  hasTwin,
}: Pick<MemberState, "absence" | "hasTwin">): string {
  switch (absence) {
    case "envoy-away":
      return "its agent tells, and its Envoy has no stream with it";
    case "unheard":
      return hasTwin === true
        ? "is told of, and another agent of its identity, which may have its name, was not heard since the server's start"
        : "was not heard since the server's start";
    case "away":
    case undefined:
      return "no agent tells of it now";
    default:
      return absence satisfies never;
  }
}
