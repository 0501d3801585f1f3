/** On which ports a member listens, as far as it is known, and which of them are asked for. */

import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";
import type { AskedPorts } from "./asked-ports.ts";
import type { HasListeners } from "./proxy-absence.ts";

/** Where policy names no port, it knows that there is none only by the proxy's own word. */
export function withKnownPorts(member: StoredMember, hasListeners: HasListeners): StoredMember {
  const isTold = member.ports?.length !== 0 || hasListeners(member.proxy);
  return isTold ? member : { ...member, ports: undefined };
}

/** Where it listens: by policy, or by what one that is gone has told. */
export function isKnown(
  { goneMs, ports, proxy }: StoredMember,
  hasListeners: HasListeners,
): boolean {
  if (goneMs !== undefined) return true;
  return ports !== undefined && ports.length > 0 && hasListeners(proxy);
}

export function withPorts(member: StoredMember, { isAsked }: AskedPorts): StoredMember {
  const { ports, labels } = member;
  return ports === undefined
    ? member
    : { ...member, ports: ports.filter((port) => isAsked(labels, port)) };
}
