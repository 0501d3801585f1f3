/**
 * Whether a target can go strict, by what is recorded, by the configuration as it is to be, and by waivers. The pure verdict is
 * `core/evidence/verdict`; this puts together what it is about.
 */

import type { BrokenCall } from "../../../core/evidence/callers.ts";
import { lagMs } from "../../../core/evidence/evidence-lag.ts";
import { verdictOf, type Verdict } from "../../../core/evidence/verdict.ts";
import type { FlipPorts } from "../../../core/flip/flip.ts";
import type { TargetPort } from "../../../core/flip/target-modes.ts";
import { selectorOf, type FlipTarget } from "../../../core/flip/target.ts";
import type { CallerWaiver } from "../../../edge/store/caller-waivers.ts";
import { askedPorts, onlyCalls, withoutCallersOnly } from "./asked-ports.ts";
import { isAny, isAskedOf, portsIn } from "./asked-evidence.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import { holdersIn, type EvidenceQuestions } from "./evidence-questions.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import { isKnown, withKnownPorts, withPorts } from "./member-ports.ts";
import type { AbsenceOf, HasListeners } from "./proxy-absence.ts";
import { seenRows, type AskSeen } from "./seen-rows.ts";
import type { TargetSurroundings } from "./surroundings.ts";

export interface Judgement {
  readonly target: FlipTarget;
  readonly nowMs: number;
  readonly verdict: Verdict;
  readonly waivers: readonly CallerWaiver[];
  /** By the configuration. */
  readonly ports: readonly TargetPort[];
  /** By the configuration, and by what flips hold back: nothing would change, and who calls without mTLS is refused now. */
  readonly isStrictAlready: boolean;
  /** Names of workloads that are to have a proxy, of which none was there since the look-back began. */
  readonly withoutProxy: readonly string[];
  readonly flips: TargetSurroundings["flips"];
  readonly others: TargetSurroundings["others"];
}

export interface JudgeDependencies {
  readonly questions: EvidenceQuestions;
  readonly configuration: FlipConfiguration;
  readonly waivers: Pick<CallerWaivers, "of" | "namesOf">;
  readonly absenceOf: AbsenceOf;
  readonly hasListeners: HasListeners;
  /** When `evidence.db` was begun anew, as an older one was set aside. */
  readonly anewMs?: number | undefined;
  readonly nowMs: () => number;
}

export interface JudgedTarget {
  readonly target: FlipTarget;
  /** Those that are to become strict. */
  readonly ports: FlipPorts;
  readonly lookBackMs: number;
  readonly brokenCalls: readonly BrokenCall[];
  /** Those that are strict already: nothing of theirs is asked for. */
  readonly isStrict?: (workload: string) => boolean;
}

export interface EvidenceVerdict {
  readonly verdict: Verdict;
  readonly nowMs: number;
  /** By the evidence, nobody is there any more of whom to ask; whoever calls them may call those that come. */
  readonly isNobody: boolean;
  /** Of the workloads that had a proxy since the look-back began. */
  readonly names: ReadonlySet<string>;
}

/** Rejects with EvidenceStoreError where nothing is known. */
export async function judge(
  dependencies: JudgeDependencies,
  { target, ports, lookBackMs, brokenCalls, isStrict = () => false }: JudgedTarget,
): Promise<EvidenceVerdict> {
  const { questions, configuration, waivers, absenceOf } = dependencies;
  const now = Math.floor(dependencies.nowMs());
  const sinceMs = now - lookBackMs;
  const { namespace } = target;
  const found = await questions.membersOf(namespace, selectorOf(target), sinceMs);
  const stored = found.map((each) => withKnownPorts(each, dependencies.hasListeners));
  const view = configuration.viewOf(namespace);
  const asked = askedPorts(view, target, ports);
  const taken = stored.filter((each) => isAny(each, asked.isMember));
  const all = withoutCallersOnly(view, target, taken);
  const members = all.filter(({ name }) => !isStrict(name));
  const keys = members.map(({ key }) => key);
  const only = portsIn(ports);
  // Before the rows: a span that is told meanwhile would cover calls that are not among them.
  const spans = await questions.spans(keys, sinceMs);
  const told = new Set(spans.map(({ member }) => member));
  const isAsked = isAskedOf(members, asked);
  const ask: AskSeen = (some) => questions.seen(some, only, sinceMs);
  const { others, mtls } = await seenRows(keys, ask, isAsked);
  const holderOf = await holdersIn(questions, others, sinceMs);
  const verdict = verdictOf({
    target: target.text,
    nowMs: now,
    lookBackMs,
    ports: only,
    members: members.map((each) => ({
      ...withPorts(each, asked),
      ...absenceOf(each.proxy),
      hasTold: told.has(each.key) && isKnown(each, dependencies.hasListeners),
    })),
    onlyCalls: onlyCalls(view, target, { taken, left: members }, isStrict),
    firstBornMs: Math.min(...all.map(({ bornMs }) => bornMs)),
    anewMs: dependencies.anewMs,
    seen: [...others, ...mtls],
    spans: spans.filter(({ member, port }) => isAsked(member, port)),
    holderOf,
    waived: waivers.namesOf(target),
    brokenCalls,
    lagMs,
  });
  const names = new Set(all.map(({ name }) => name));
  const isNobody = members.every(({ goneMs }) => goneMs !== undefined);
  return { verdict, nowMs: now, isNobody, names };
}
