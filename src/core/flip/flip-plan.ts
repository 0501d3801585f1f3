/**
 * In which order the targets of a namespace can go strict, and what each waits for. Who can go now is first; then who is called without
 * mTLS by workloads of this namespace alone, after the targets whose workloads these are. For others nobody here knows the time.
 */

import { compareText } from "../compare-text.ts";
import type { SilentReason } from "../evidence/silent.ts";
import type { TargetMode } from "./target-modes.ts";

export interface PlanCaller {
  /** As the verdict names it. */
  readonly name: string;
  /** A workload with a proxy; without one it is work to do; undefined for whom nobody knows. */
  readonly isMeshed: boolean | undefined;
  /** Not seen: the configuration tells it to. */
  readonly isTold?: boolean;
}

export interface PlanSilent {
  /** As the verdict names it. */
  readonly name: string;
  readonly reason: SilentReason;
}

export interface PlanTarget {
  /** As it is written. */
  readonly target: string;
  readonly mode: TargetMode;
  /** `NAMESPACE/NAME` of its members. */
  readonly workloads: readonly string[];
  readonly verdict: "safe" | "unsafe" | "unknown";
  /** Those that are not waived. */
  readonly callers: readonly PlanCaller[];
  /** Whose evidence is missing, and is not waived. */
  readonly silent: readonly PlanSilent[];
}

export interface PlannedFlip {
  readonly target: string;
  /** From 1: those of one number can go at once; 0 where nobody knows, or nothing is left to do. */
  readonly order: number;
  /** Words. */
  readonly waitsFor: readonly string[];
  /** The next command; "" where there is none. */
  readonly next: string;
}

/** By order, and those without one at the end: those that are nearer to it first. */
export function planFlips(targets: readonly PlanTarget[]): readonly PlannedFlip[] {
  const homes = homesOf(targets);
  const orders = ordersOf(targets, homes);
  const rank = (each: PlanTarget): number => orders.get(each) ?? lastRank + lateness(each);
  return targets
    .toSorted((a, b) => rank(a) - rank(b) || compareText(a.target, b.target))
    .map((each) => ({
      target: each.target,
      order: orders.get(each) ?? 0,
      waitsFor: waitsOf(each, homes),
      next: nextOf(each),
    }));
}

type Homes = ReadonlyMap<string, readonly PlanTarget[]>;

/** Whose workloads are to move before those whom they call. */
function homesOf(targets: readonly PlanTarget[]): Homes {
  const pairs = targets.flatMap((target) => target.workloads.map((name) => ({ name, target })));
  return new Map(
    Array.from(
      Map.groupBy(pairs, ({ name }) => name),
      ([name, all]) => [name, all.map(({ target }) => target)],
    ),
  );
}

const lastRank = 1_000_000;

function lateness({ mode, verdict }: PlanTarget): number {
  if (mode === "strict") return 3;
  if (mode === "disable") return 2;
  return verdict === "unsafe" ? 0 : 1;
}

/** Round by round: those who wait for each other come last, and together. */
function ordersOf(targets: readonly PlanTarget[], homes: Homes): ReadonlyMap<PlanTarget, number> {
  const orders = new Map<PlanTarget, number>();
  const isMoving = ({ mode }: PlanTarget): boolean => mode === "permissive" || mode === "mixed";
  for (const each of targets) if (isMoving(each) && each.verdict === "safe") orders.set(each, 1);
  let waiting = targets.filter((each) => isMoving(each) && isOwnWork(each, homes));
  for (let order = 2; waiting.length > 0; order++) {
    const isDone = (target: PlanTarget): boolean => orders.has(target) || !waiting.includes(target);
    const ready = waiting.filter((each) => homesOfCallers(each, homes).every(isDone));
    const next = ready.length > 0 ? ready : waiting;
    for (const each of next) orders.set(each, order);
    waiting = waiting.filter((each) => !next.includes(each));
  }
  return orders;
}

/** All who call it without mTLS are workloads of these targets, and have a proxy. */
function isOwnWork({ verdict, callers }: PlanTarget, homes: Homes): boolean {
  return verdict === "unsafe" && callers.every(({ name, isMeshed }) => isMeshed && homes.has(name));
}

function homesOfCallers(target: PlanTarget, homes: Homes): readonly PlanTarget[] {
  const all = target.callers.flatMap(({ name }) => homes.get(name) ?? []);
  return [...new Set(all)].filter((each) => each !== target);
}

function waitsOf(each: PlanTarget, homes: Homes): readonly string[] {
  if (each.mode === "strict") return [];
  if (each.mode === "disable") return ["it takes no mTLS"];
  const callers = each.callers.map(({ name, isMeshed, isTold }) => {
    if (isTold === true) return `${name} is told to call without mTLS`;
    if (isMeshed === undefined) return `${name} calls it without mTLS`;
    if (!isMeshed) return `${name} has no proxy`;
    const home = homes.get(name)?.find((target) => target !== each);
    return home === undefined ? `${name} sends no mTLS` : `${name} of ${home.target} sends no mTLS`;
  });
  return [...callers, ...each.silent.map(silentWords)];
}

function silentWords({ name, reason }: PlanSilent): string {
  if (reason === "nobody") return "it has no proxy that could tell who calls";
  if (reason === "set-aside") return "what was known of before was set aside";
  if (name.startsWith("target/")) return "it is younger than the look-back";
  return `${name} is silent (${reason})`;
}

function nextOf({ target, mode, verdict }: PlanTarget): string {
  if (mode === "strict") return "";
  if (mode === "disable") return `portcullis mtls permissive ${target} --until 30d --owner NAME`;
  if (verdict === "safe") return `portcullis mtls flip ${target} --to strict`;
  return `portcullis mtls check ${target}`;
}
