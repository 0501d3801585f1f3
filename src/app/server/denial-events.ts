/** What the log says of a change of the deny list. The digest is that of the list as it is afterwards. */

import type { Denial } from "../../core/deny/denial.ts";
import type { DenyList } from "../../core/deny/deny-list.ts";
import { targetKey } from "../../core/deny/deny-target.ts";
import type { EventEntry } from "../../core/log/entry.ts";
import type { Claim } from "./operator-command.ts";

export type DenialEvent = Omit<EventEntry, "timeMs">;

/** Their numbers have at most 16 digits, and an event's detail 4,096 octets. */
const numbersPerEvent = 200;

/** Detail: `{"number": N, "until": RFC 3339 or left out}`. */
export function addedEvent(denial: Denial, after: DenyList): DenialEvent {
  const { sequence, target, reason, operator, untilMs } = denial;
  const until = untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() };
  return {
    kind: "event",
    type: "denied",
    operator,
    subject: targetKey(target),
    reason,
    digest: after.digest(),
    detail: JSON.stringify({ number: sequence, ...until }),
  };
}

/** Detail: `{"numbers": [N]}`. */
export function removedEvent(denial: Denial, after: DenyList, claim: Claim): DenialEvent {
  return removal(targetKey(denial.target), claim, [denial.sequence], after);
}

/** By the server itself. Detail: `{"numbers": [N, ...]}`. */
export function endedEvents(numbers: readonly number[], after: DenyList): readonly DenialEvent[] {
  const count = Math.ceil(numbers.length / numbersPerEvent);
  return Array.from({ length: count }, (_, index) => {
    const start = index * numbersPerEvent;
    const some = numbers.slice(start, start + numbersPerEvent);
    return removal("", { operator: "", reason: "ended" }, some, after);
  });
}

function removal(
  subject: string,
  { operator, reason }: Claim,
  numbers: readonly number[],
  after: DenyList,
): DenialEvent {
  return {
    kind: "event",
    type: "denial-removed",
    operator,
    subject,
    reason,
    digest: after.digest(),
    detail: JSON.stringify({ numbers }),
  };
}
