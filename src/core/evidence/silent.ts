/** Whose evidence is missing: proxies that have not told what they saw, or have missed some of it. */

import { compareText } from "../compare-text.ts";
import { wasThere, type Member, type MemberSpan } from "./member.ts";
import {
  missed,
  missing,
  untold,
  type AskedEvidence,
  type MissingEvidence,
} from "./missing-evidence.ts";

export type SilentReason = MissingEvidence["reason"];

export interface Silent extends MissingEvidence {
  /** What a waiver names: `proxy/NAMESPACE/NAME`, or `target/` and the target. A waived caller of that name is another matter. */
  readonly name: string;
  readonly isWaived: boolean;
}

export interface SilentInput extends AskedEvidence {
  readonly target: string;
  readonly members: readonly Member[];
  /** There are none, as the target takes no calls. */
  readonly onlyCalls?: boolean | undefined;
  /** Of those of the target that are not among the members, too. */
  readonly firstBornMs?: number | undefined;
  /** When the evidence was begun anew, because what there was could not be read. */
  readonly anewMs?: number | undefined;
  readonly spans: Iterable<MemberSpan>;
  readonly waived: ReadonlySet<string>;
}

/** Agents come back within a minute after a start; who is there then was there before. */
const anewSlackMs = 120_000;

/** Those that are not waived first. */
export function silentOf(input: SilentInput): Silent[] {
  const { target, members, waived } = input;
  const spans = Map.groupBy(input.spans, ({ member }) => member);
  const all = new Map<string, Omit<Silent, "isWaived">>();
  const add = (name: string, missing: MissingEvidence): void => {
    const key = `${missing.reason} ${name}`;
    const there = all.get(key);
    all.set(key, { name, ...(there === undefined ? missing : merged(there, missing)) });
  };
  for (const missing of missingOfTarget(input)) add(`target/${target}`, missing);
  const names = new Map(members.map(({ key, name }) => [key, name]));
  for (const [key, told] of spans) {
    for (const missing of missed(told, input)) add(`proxy/${names.get(key) ?? key}`, missing);
  }
  for (const member of members) {
    const told = spans.get(member.key) ?? [];
    for (const missing of untold(member, told, input)) add(`proxy/${member.name}`, missing);
  }
  const silent = Array.from(all.values(), (each) => ({ ...each, isWaived: waived.has(each.name) }));
  return silent.toSorted(byUrgency);
}

function missingOfTarget({
  members,
  onlyCalls = false,
  firstBornMs = Infinity,
  anewMs = -Infinity,
  fromMs,
}: SilentInput): MissingEvidence[] {
  const born = members.filter((each) => wasThere(each, fromMs)).map(({ bornMs }) => bornMs);
  if (born.length === 0) return onlyCalls ? [] : [missing("nobody", [], fromMs, undefined)];
  const sinceMs = Math.min(firstBornMs, ...born);
  if (sinceMs <= fromMs) return [];
  const isAnew = anewMs > fromMs && sinceMs - anewMs < anewSlackMs;
  return [missing(isAnew ? "set-aside" : "too-young", [], sinceMs, undefined)];
}

/** Of one reason. Of several gaps the last one is told. */
function merged(a: MissingEvidence, b: MissingEvidence): MissingEvidence {
  const { reason } = a;
  const ports = [...new Set([...a.ports, ...b.ports])].toSorted((one, other) => one - other);
  const [aMs, bMs] = [a.untilMs ?? Infinity, b.untilMs ?? Infinity];
  if (reason === "gap") {
    const isLast = bMs > aMs || (bMs === aMs && b.sinceMs < a.sinceMs);
    return { ...(isLast ? b : a), ports };
  }
  const firstOf = reason === "too-young" ? Math.max : Math.min;
  const untilMs = Math.max(aMs, bMs);
  return {
    reason,
    ports,
    sinceMs: firstOf(a.sinceMs, b.sinceMs),
    untilMs: untilMs === Infinity ? undefined : untilMs,
    connections: a.connections + b.connections,
  };
}

function byUrgency(a: Silent, b: Silent): number {
  return (
    Number(a.isWaived) - Number(b.isWaived) ||
    compareText(a.name, b.name) ||
    compareText(a.reason, b.reason)
  );
}
