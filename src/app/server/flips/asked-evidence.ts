/** Of whose ports evidence is asked. */

import type { FlipPorts } from "../../../core/flip/flip.ts";
import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";
import type { AskedPorts } from "./asked-ports.ts";

/** Undefined: all. */
export function portsIn({ ports }: FlipPorts): readonly number[] | undefined {
  return ports.length === 0 ? undefined : ports;
}

/** By the member's key. */
export function isAskedOf(
  members: readonly StoredMember[],
  { isAsked }: AskedPorts,
): (member: string, port: number) => boolean {
  const byKey = new Map(members.map((each) => [each.key, each]));
  return (key, port) => {
    const member = byKey.get(key);
    return member !== undefined && isAny(member, (labels) => isAsked(labels, port));
  };
}

/** Of an earlier life by what it was, and by what its proxy is now: who called it may call again. */
export function isAny(
  { labels, labelsNow }: StoredMember,
  isIt: (labels: StoredMember["labels"]) => boolean,
): boolean {
  return isIt(labels) || (labelsNow !== undefined && isIt(labelsNow));
}
