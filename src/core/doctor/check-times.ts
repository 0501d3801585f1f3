/** Clocks against each other, and how much of their lives certificates have left. */

import { critical, ok, orOk, skipped, warning, type Said } from "./finding.ts";

export interface ClockReading {
  /** Whose clock: `the API server`. */
  readonly whose: string;
  /** How far it is ahead of the one that it is held against. */
  readonly aheadMs: number;
  /** What the reading itself cannot tell: its way, and the second that it is rounded to. */
  readonly errorMs: number;
}

export interface ClockFacts {
  /** `the server` */
  readonly base: string;
  readonly readings: readonly ClockReading[];
  /** The greatest difference to an agent's that was seen; undefined where that is not known. */
  readonly agentsMs?: number | undefined;
}

/**
 * A token of a clock that is more than 10 s ahead is not valid yet, and all new ones are refused; certificates begin two minutes before they
 * are signed.
 */
const limits = {
  warnMs: 5_000,
  aheadMs: 10_000,
  behindMs: 60_000,
  agentWarnMs: 30_000,
  agentCriticalMs: 120_000,
};

export function checkClocks({ base, readings, agentsMs }: ClockFacts): readonly Said[] {
  const found = readings.flatMap(({ whose, aheadMs, errorMs }): readonly Said[] => {
    const offMs = Math.max(0, Math.abs(aheadMs) - errorMs);
    if (offMs < limits.warnMs) return [];
    const direction = aheadMs > 0 ? "ahead of" : "behind";
    const finding = `the clock of ${whose} is ${seconds(offMs)} ${direction} that of ${base}`;
    const criticalMs = aheadMs > 0 ? limits.aheadMs : limits.behindMs;
    return [(offMs < criticalMs ? warning : critical)(finding, synchronise)];
  });
  const agents = agentsMs === undefined ? [] : agentsOf(agentsMs);
  const others = readings.map(({ whose }) => whose);
  if (agentsMs !== undefined) others.push("agents");
  if (others.length === 0) return [skipped("no other clock has been seen")];
  return orOk([...found, ...agents], `${base} agrees with ${others.join(" and ")}`);
}

const synchronise = "are both synchronised? timedatectl, chronyc tracking";

function agentsOf(agentsMs: number): readonly Said[] {
  if (agentsMs < limits.agentWarnMs) return [];
  const finding = `an agent's clock was seen to be off by ${seconds(agentsMs)}`;
  if (agentsMs < limits.agentCriticalMs) return [warning(finding, "is its node synchronised?")];
  const why = "a certificate begins only 2 minutes before it is signed";
  return [critical(`${finding}: ${why}`, "is its node synchronised? portcullis root status")];
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

/** The operator's: nothing hangs on it but what he reads. */
export function checkOwnClock({ base, readings }: ClockFacts): readonly Said[] {
  const found = checkClocks({ base, readings }).filter(({ status }) => status !== "ok");
  const said = found.map(({ finding, hint }) => warning(finding, hint));
  return orOk(said, `this machine's clock agrees with that of ${base}`);
}

/** Of the log: the wall clock against the monotonic one. */
export interface ClockJumpFacts {
  /** 0 while all is well. */
  readonly jumpMs: number;
}

export function checkClockJump({ jumpMs }: ClockJumpFacts): readonly Said[] {
  if (jumpMs === 0) return [ok("the server's clock has not jumped")];
  const finding = `the server's clock has jumped by ${seconds(jumpMs)}: nothing is signed`;
  return [critical(finding, "set the clock right, or: portcullis clock accept --reason TEXT")];
}

export interface CertificateFact {
  /** `root 1a2b3c4d`, `the serving certificate` */
  readonly name: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** What to do before it ends. */
  readonly hint: string;
}

export interface ExpiryFacts {
  readonly nowMs: number;
  readonly certificates: readonly CertificateFact[];
}

const dayMs = 86_400_000;

/** Short lives are renewed by machines, half-way: a month of warning is for those that people renew. */
function expiryLimits(lifeMs: number): {
  readonly warnMs: number;
  readonly criticalMs: number;
} {
  return { warnMs: Math.min(30 * dayMs, lifeMs / 4), criticalMs: Math.min(7 * dayMs, lifeMs / 10) };
}

export function checkExpiries({ nowMs, certificates }: ExpiryFacts): readonly Said[] {
  const found = certificates.flatMap(({ name, notBeforeMs, notAfterMs, hint }): readonly Said[] => {
    const at = new Date(notAfterMs).toISOString();
    if (nowMs < notBeforeMs) return [critical(`${name} is not valid yet`, hint)];
    if (nowMs > notAfterMs) return [critical(`${name} has expired at ${at}`, hint)];
    const { warnMs, criticalMs } = expiryLimits(notAfterMs - notBeforeMs);
    const leftMs = notAfterMs - nowMs;
    if (leftMs >= warnMs) return [];
    const said = leftMs < criticalMs ? critical : warning;
    return [said(`${name} expires at ${at}, in ${span(leftMs)}`, hint)];
  });
  return orOk(found, `none of ${certificates.length} certificates expires soon`);
}

function span(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return hours >= 2 ? `${hours} hours` : `${Math.max(1, Math.floor(ms / 60_000))} minutes`;
}
