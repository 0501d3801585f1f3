/**
 * Which of the lives of proxies a selector takes. Whoever is to be strict is asked for its callers as long as it was there, under whatever
 * labels: they call it still. One that the selector took once, and takes no more, was called as what is asked for.
 */

import { selects } from "../../core/policy/labels.ts";
import type { Labels } from "../../core/resources/resource.ts";
import type { StoredMember } from "./evidence-question.ts";
import { memberOf } from "./evidence-rows.ts";

type Row = Readonly<Record<string, unknown>>;

/** @param rows of `members`, in the order of their ids */
export function takenMembers(rows: readonly Row[], selector: Labels): readonly StoredMember[] {
  const lives = rows.map((row) => {
    const member = memberOf(row);
    // One whose labels nobody has said may be of any target that its identity is of: whoever asks has to know.
    const isTold = row["labels"] !== "";
    return { member, isTold, isTaken: !isTold || selects(selector, member.labels) };
  });
  const now = new Map<string, Labels>();
  for (const { member, isTold, isTaken } of lives) {
    if (isTold && isTaken && member.goneMs === undefined) now.set(member.proxy, member.labels);
  }
  return lives.flatMap(({ member, isTaken }) => {
    const labelsNow = member.goneMs === undefined ? undefined : now.get(member.proxy);
    if (labelsNow !== undefined) return [{ ...member, labelsNow }];
    return isTaken ? [member] : [];
  });
}
