/** What an answer of `root status` means: where the rotation stands, what waits for somebody, and how bad it is. */

import { ExitCode } from "./command.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { HoldersValue, RootAuthorityValue, RootStatusValue } from "./root-value.ts";

/** The authorities by their state. Of `retired` somebody may still trust each: those of whom nobody does are forgotten. */
export interface RootShape {
  readonly prepared: RootAuthorityValue | undefined;
  readonly active: RootAuthorityValue | undefined;
  readonly retiring: RootAuthorityValue | undefined;
  readonly retired: readonly RootAuthorityValue[];
}

export function shapeOf({ authorities }: Pick<RootStatusValue, "authorities">): RootShape {
  const inState = (wanted: string) => authorities.filter(({ state }) => state === wanted);
  return {
    prepared: inState("prepared")[0],
    active: inState("active")[0],
    retiring: inState("retiring")[0],
    retired: inState("retired"),
  };
}

/** Whether it has begun, and is not over before nobody trusts what has been retired. */
export function isRotating({ prepared, retiring, retired }: RootShape): boolean {
  return prepared !== undefined || retiring !== undefined || retired.length > 0;
}

/** Nothing is left of it but everybody's confirmation: the next one may begin. */
export function isEndPending({ prepared, retiring, retired }: RootShape): boolean {
  return prepared === undefined && retiring === undefined && retired.length > 0;
}

/** The authority whose root is to go: none where nothing is left but everybody's confirmation that it has gone. */
export function outgoingOf({
  prepared,
  active,
  retiring,
  retired,
}: RootShape): RootAuthorityValue | undefined {
  if (retiring !== undefined) return retiring;
  return prepared === undefined && retired.length > 0 ? undefined : active;
}

/** Whoever is waited for opens these by itself. Whatever else refuses a command is for an operator to change. */
export function isGate(reason: string): boolean {
  return reason === "verifiers-lagging" || reason === "holders-left";
}

/** Of the trust Secret and its Lease: what a gate lets through may not be done by this server now. */
function isHeldBack(reason: string): boolean {
  return /^trust-(?:secret|lease|log)-/.test(reason);
}

/** As an API server that is away does it, which comes back by itself. */
export function isPassing(reason: string): boolean {
  return reason === "trust-lease-lost" || reason === "trust-secret-silent";
}

/** A closed gate's cause without the names: a table has all of them. */
export function causeOf(code: string, text: string): string {
  return isGate(code) ? text.replace(/(, got \d+[^:,]*): .*/s, "$1") : text;
}

/** The certificates that hang on what is being retired, or would be. */
export function holdersOf(
  { holders }: Pick<RootStatusValue, "holders">,
  authority: RootAuthorityValue | undefined,
): HoldersValue | undefined {
  return holders.find((each) => each.authority === authority?.id);
}

/** Those of workloads: the server renews its own first, and what it has not read or has lost is no number. */
export function leavesOf(holders: Pick<HoldersValue, "unexpired" | "named"> | undefined): number {
  if (holders === undefined) return 0;
  return holders.unexpired - (holders.named.length - workloadsOf(holders).length);
}

/** When the last of those ends, RFC 3339; empty where none is named. The server's own have no end, and so the gate has none. */
export function lastEndOf(holders: HoldersValue | undefined): string {
  const ends = [holders?.lastEndsAt ?? "", ...(holders?.named ?? []).map(({ endsAt }) => endsAt)];
  return ends.reduce((last, each) => (each > last ? each : last), "");
}

/** Those that are named, and are neither the server's nor a class of which nobody knows how many. */
export function workloadsOf(
  holders: Pick<HoldersValue, "named"> | undefined,
): readonly LaggardValue[] {
  return holders?.named.filter(({ kind }) => kind !== "server" && kind !== "class") ?? [];
}

/** Shares of a root's life, in per cent, below which an operator must know. */
const lifeWarning = 25;
const lifeCritical = 10;

export type Severity = "ok" | "warning" | "critical";

/** Of one that is trusted, or still held: one that has been retired may expire. */
export function severityOf({ state, compromised, lifeLeftPercent }: RootAuthorityValue): Severity {
  if (compromised) return "critical";
  if (state === "retired" || lifeLeftPercent >= lifeWarning) return "ok";
  return lifeLeftPercent < lifeCritical ? "critical" : "warning";
}

/** A rotation that waits: for verifiers, for holders, for the trust Secret, or for the proof that what has been retired is trusted by nobody. */
function isWaiting(status: RootStatusValue): boolean {
  const shape = shapeOf(status);
  if (shape.retired.length > 0 && status.verifiers.lagging > 0) return true;
  // After a rollback the gate of `abort` may be closed as well: `activate` is open then, and nothing waits.
  return status.steps.some(
    ({ command, allowed, reason }) =>
      (command === "activate" || command === "retire") &&
      !allowed &&
      (isGate(reason) || isHeldBack(reason)),
  );
}

export function exitCodeOf(status: RootStatusValue): ExitCode {
  const severities = new Set(status.authorities.map(severityOf));
  if (severities.has("critical")) return ExitCode.refused;
  const isRefused = status.reloadRefusals.length > 0;
  const isNoticed = severities.has("warning") || isWaiting(status) || isRefused;
  return isNoticed ? ExitCode.warning : ExitCode.ok;
}
