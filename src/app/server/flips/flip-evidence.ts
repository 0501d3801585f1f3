/** What is recorded of a flip's target: who is there, until when each has told, and who was refused since. The verdict is asked apart. */

import type { Caller, CallerHolder } from "../../../core/evidence/caller.ts";
import { callerHolder, callersOf } from "../../../core/evidence/callers.ts";
import { lagMs } from "../../../core/evidence/evidence-lag.ts";
import type { Holder } from "../../../core/evidence/address-history.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { RefusedCall } from "../../../core/flip/flip-view.ts";
import { selectorOf } from "../../../core/flip/target.ts";
import { askedOf, toldSpan } from "../../../core/flip/told-span.ts";
import { selects } from "../../../core/policy/labels.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { StoredMember, StoredSeen } from "../../../edge/evidence/evidence-question.ts";
import type { AskedPorts } from "./asked-ports.ts";
import { holdersIn, type EvidenceQuestions, type HolderOf } from "./evidence-questions.ts";
import { isAskedOf, portsIn } from "./asked-evidence.ts";
import { rowsOf } from "./seen-rows.ts";
import type { EvidencedMember } from "./workload-progress.ts";

export interface FlipEvidence {
  /** Not proven gone. */
  readonly members: readonly EvidencedMember[];
  readonly refused: readonly RefusedCall[];
  /** For people: those of them that came since the first stage opened. */
  readonly callers: readonly Caller[];
}

/** As of a flip that nobody has looked at. */
export const noEvidence: FlipEvidence = { members: [], refused: [], callers: [] };

/** @returns undefined where nobody can be asked @throws what is no EvidenceStoreError */
export async function flipEvidence(
  questions: EvidenceQuestions,
  flip: Flip,
  asked: AskedPorts,
  nowMs: number,
): Promise<FlipEvidence | undefined> {
  try {
    return await gather(questions, flip, asked, nowMs);
  } catch (error) {
    if (error instanceof EvidenceStoreError) return undefined;
    throw error;
  }
}

async function gather(
  questions: EvidenceQuestions,
  flip: Flip,
  asked: AskedPorts,
  nowMs: number,
): Promise<FlipEvidence> {
  const { target, startedMs, lookBackMs, opened } = flip;
  const sinceMs = startedMs - lookBackMs;
  const all = await questions.membersOf(target.namespace, selectorOf(target), sinceMs);
  const there = all.filter(({ goneMs, labels }) => goneMs === undefined && asked.isMember(labels));
  // What was refused under labels of before was another policy's.
  const then = all.filter(
    ({ labels, labelsNow }) => labelsNow === undefined || selects(selectorOf(target), labels),
  );
  const isAsked = isAskedOf(then, asked);
  const keys = there.map(({ key }) => key);
  // Before the rows: whoever has told until then has told of all that is among them.
  const wanted = askedOf(flip, nowMs);
  const spans = await questions.spans(keys, Math.min(startedMs, nowMs - lagMs));
  const rows = opened.length === 0 ? [] : await refusedRows(questions, then, flip, sinceMs);
  const told = Map.groupBy(
    spans.filter(({ member, port }) => isAsked(member, port)),
    ({ member }) => member,
  );
  const refused = rows.filter(({ member, port }) => isAsked(member, port));
  const holderOf = await holdersIn(questions, refused, sinceMs);
  return {
    members: there.map(({ proxy, name, labels, key, bornMs, ports: all }) => {
      const ports = all?.filter((port) => isAsked(key, port));
      const its = toldSpan({ bornMs, ports }, told.get(key) ?? [], wanted(name));
      return { proxy, name, labels, ...its };
    }),
    refused: refusedCalls(refused, then, holderOf),
    callers: refusedCallers(refused, then, holderOf, opened[0]?.openedMs ?? Infinity),
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
