/** What is recorded of a flip's target: who is there, until when each has told, and who was refused since. The verdict is asked apart. */

import {
  callerHolder,
  callersOf,
  type Caller,
  type CallerHolder,
} from "../../../core/evidence/callers.ts";
import type { Holder } from "../../../core/evidence/address-history.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { RefusedCall } from "../../../core/flip/flip-view.ts";
import { selectorOf } from "../../../core/flip/target.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { StoredMember, StoredSeen } from "../../../edge/evidence/evidence-question.ts";
import type { AskedPorts } from "./asked-ports.ts";
import { holdersIn, type EvidenceQuestions, type HolderOf } from "./evidence-questions.ts";
import { isAskedOf, portsIn } from "./judgement.ts";
import { rowsOf } from "./seen-rows.ts";
import type { EvidencedMember } from "./workload-progress.ts";

export interface FlipEvidence {
  /** Not proven gone. */
  readonly members: readonly EvidencedMember[];
  readonly refused: readonly RefusedCall[];
  /** For people: those of them that came since the first stage opened. */
  readonly callers: readonly Caller[];
}

export const noEvidence: FlipEvidence = { members: [], refused: [], callers: [] };

/** Where nothing can be told, nothing is known. @throws what is no EvidenceStoreError */
export async function flipEvidence(
  questions: EvidenceQuestions,
  flip: Flip,
  asked: AskedPorts,
): Promise<FlipEvidence> {
  try {
    return await gather(questions, flip, asked);
  } catch (error) {
    if (error instanceof EvidenceStoreError) return noEvidence;
    throw error;
  }
}

async function gather(
  questions: EvidenceQuestions,
  flip: Flip,
  asked: AskedPorts,
): Promise<FlipEvidence> {
  const { target, startedMs, lookBackMs, opened } = flip;
  const sinceMs = startedMs - lookBackMs;
  const all = await questions.membersOf(target.namespace, selectorOf(target), sinceMs);
  const there = all.filter(({ goneMs, labels }) => goneMs === undefined && asked.isMember(labels));
  const isAsked = isAskedOf(all, asked);
  const keys = there.map(({ key }) => key);
  // Before the rows: whoever has told until then has told of all that is among them.
  const spans = await questions.spans(keys, opened.at(-1)?.openedMs ?? startedMs);
  const rows = opened.length === 0 ? [] : await refusedRows(questions, all, flip, sinceMs);
  const until = new Map<string, number>();
  for (const { member, port, untilMs } of spans) {
    if (isAsked(member, port)) until.set(member, Math.max(until.get(member) ?? 0, untilMs));
  }
  const refused = rows.filter(({ member, port }) => isAsked(member, port));
  const holderOf = await holdersIn(questions, refused, sinceMs);
  return {
    members: there.map(({ key, ...each }) => ({ ...each, untilMs: until.get(key) })),
    refused: refusedCalls(refused, all, holderOf),
    callers: refusedCallers(refused, all, holderOf, opened[0]?.openedMs ?? Infinity),
  };
}

async function refusedRows(
  questions: EvidenceQuestions,
  members: readonly StoredMember[],
  { ports, exceptPorts }: Flip,
  sinceMs: number,
): Promise<readonly StoredSeen[]> {
  const keys = members.map(({ key }) => key);
  const only = portsIn({ ports, exceptPorts });
  const batches = rowsOf(keys, (some) => questions.refusedSince(some, only, sinceMs));
  return (await Array.fromAsync(batches)).flat();
}

function refusedCalls(
  rows: readonly StoredSeen[],
  members: readonly StoredMember[],
  holderOf: HolderOf,
): readonly RefusedCall[] {
  const names = new Map(members.map(({ key, name }) => [key, name]));
  return rows.map((row) => {
    const { member: key, port, kind, firstMs, lastMs } = row;
    const member = names.get(key) ?? key;
    const holder = namedHolder(callerHolder(row, member, holderOf));
    return { member, port, kind, holder, firstMs, lastMs };
  });
}

/** Only an address that is known takes something back. */
function namedHolder(holder: CallerHolder): Holder {
  const isHolder = holder.kind === "workload" || holder.kind === "own" || holder.kind === "several";
  return isHolder ? holder : { kind: "unknown" };
}

function refusedCallers(
  seen: readonly StoredSeen[],
  members: readonly StoredMember[],
  holderOf: HolderOf,
  fromMs: number,
): readonly Caller[] {
  const waived = new Set<string>();
  return callersOf({ fromMs, ports: undefined, members, seen, holderOf, waived, brokenCalls: [] })
    .callers;
}
