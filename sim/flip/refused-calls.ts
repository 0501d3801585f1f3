/** Whom a flip's stages refuse, as a simulated server knows it: it takes the steps of `flip-evidence.ts`, and must be changed with them. */

import type { Holder } from "../../src/core/evidence/address-history.ts";
import type { CallerHolder } from "../../src/core/evidence/caller.ts";
import { callerHolder } from "../../src/core/evidence/callers.ts";
import type { Flip } from "../../src/core/flip/flip.ts";
import type { RefusedCall } from "../../src/core/flip/flip-view.ts";
import { askedPorts } from "../../src/app/server/flips/asked-ports.ts";
import { isAskedOf } from "../../src/app/server/flips/asked-evidence.ts";
import type { EvidenceOf, TargetEvidence } from "./target-evidence.ts";

/** @throws EvidenceStoreError */
export function refusedCalls(
  flip: Flip,
  { evidence, view }: EvidenceOf,
  target: TargetEvidence,
): readonly RefusedCall[] {
  if (flip.opened.length === 0) return [];
  const sinceMs = flip.startedMs - flip.lookBackMs;
  const members = target.members(flip.target, sinceMs);
  const isAsked = isAskedOf(members, askedPorts(view(), flip.target, flip));
  const names = new Map(members.map(({ key, name }) => [key, name]));
  const question = {
    kind: "seen",
    members: [...names.keys()],
    ports: undefined,
    sinceMs,
  } as const;
  const rows = evidence
    .ask({ ...question, isRefusedOnly: true })
    .filter(({ member, port }) => isAsked(member, port));
  const history = target.historyOf(rows, sinceMs);
  return rows.map((row) => {
    const { port, kind, firstMs, lastMs } = row;
    const member = names.get(row.member) ?? row.member;
    const holder = callerHolder(row, member, (...of) => history.holderOf(...of));
    return { member, port, kind, holder: namedHolder(holder), firstMs, lastMs };
  });
}

/** Only an address that is known takes something back. */
function namedHolder(holder: CallerHolder): Holder {
  const isHolder = holder.kind === "workload" || holder.kind === "own" || holder.kind === "several";
  return isHolder ? holder : { kind: "unknown" };
}
