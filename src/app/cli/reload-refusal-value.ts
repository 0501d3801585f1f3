/** What lies on the server's disk and was refused, so that something older runs: for programs and for people. */

import type { ReloadRefusal } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatRelative } from "./format.ts";
import { nextLines, nextOf } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { wordsOf } from "./server-words.ts";
import { timeText } from "./time-text.ts";

export type ReloadRefusalValue = {
  /** "configuration" or "ca". */
  readonly part: string;
  readonly reason: string;
  readonly detail: string;
  readonly hint: string;
  readonly since: string;
};

export function reloadRefusalValue(refusal: ReloadRefusal): ReloadRefusalValue {
  const { part, reason, detail, hint, since } = refusal;
  return { part, reason, detail, hint, since: timeText(since) };
}

/** Without the last end of a line. */
export function reloadRefusalText(
  { part, reason, detail, hint, since }: ReloadRefusalValue,
  target: ServerTarget,
  nowMs: number,
): string {
  const what = part === "ca" ? "CA" : part;
  const why = wordsOf(detail, nowMs);
  const when = formatRelative(Date.parse(since), nowMs);
  // Not refused: it signs when its gate opens.
  const line =
    reason === "rotation-waits"
      ? `the ${what} on disk does not sign yet, ${when}: ${why}`
      : `the ${what} on disk was refused ${when}, and an older one runs: ${why}`;
  const next = hint === "" ? "the server reads what is mended by itself: portcullis status" : hint;
  return `${line}\n${nextLines("hint", nextOf(target, next), nowMs)}`.trimEnd();
}
