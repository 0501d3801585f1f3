/**
 * The time of the log never goes back, and a wall clock that jumps stops signing: certificates must not be dated by a
 * clock that is wrong. A jump is measured against the monotonic clock, from the last good reading. That moves along
 * with each good one, so that the small steps of NTP never add up to a jump, and a clock that comes back is good
 * again by itself.
 */

import { PortcullisError } from "../error.ts";

const clockJumpMsMax = 60_000;

/** Both in ms, read at one moment. The monotonic one should count suspension, or waking up is a jump. */
export interface ClockReading {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export type LogClockStatus =
  | { readonly kind: "ok" }
  | {
      readonly kind: "stopped";
      /** In log time. */
      readonly sinceMs: number;
      /** How far the wall clock is from where it should be, in whole ms; negative is behind. */
      readonly jumpMs: number;
      readonly direction: "forward" | "backward";
    };

export interface LogClock {
  /** The time for the next entry: whole ms, never less than before. While stopped, the reference goes on in it. */
  readonly logMs: number;
  readonly status: LogClockStatus;
  readonly reference: ClockReading;
  /** At a start, the reference is only the earliest time that it can be: the server may have been down for days. */
  readonly isLowerBound: boolean;
}

/**
 * @param newestLogMs of the newest entry; undefined for a new log
 * @param acceptedWallMs what the wall clock said when an operator accepted it, if the log's time has stood still since
 */
export function startLogClock(
  newestLogMs: number | undefined,
  reading: ClockReading,
  acceptedWallMs?: number,
): LogClock {
  const wallMs = acceptedWallMs ?? newestLogMs ?? reading.wallMs;
  const clock: LogClock = {
    logMs: newestLogMs ?? 0,
    status: { kind: "ok" },
    reference: { wallMs, monotonicMs: reading.monotonicMs },
    isLowerBound: true,
  };
  return readLogClock(clock, reading);
}

/** The clock after a reading; to be taken at least every minute, and before each signature. */
export function readLogClock(clock: LogClock, reading: ClockReading): LogClock {
  const { reference } = clock;
  const expectedMs = reference.wallMs + (reading.monotonicMs - reference.monotonicMs);
  const jumpMs = Math.round(reading.wallMs - expectedMs);
  // Written so that a clock that reads NaN stops.
  if (jumpMs >= -clockJumpMsMax && (clock.isLowerBound || jumpMs <= clockJumpMsMax)) {
    return goOn(clock, reading);
  }
  const logMs = later(clock.logMs, expectedMs);
  const sinceMs = clock.status.kind === "stopped" ? clock.status.sinceMs : logMs;
  const direction = jumpMs > 0 ? "forward" : "backward";
  return { ...clock, logMs, status: { kind: "stopped", sinceMs, jumpMs, direction } };
}

/** An operator says that the wall clock is right. The log's time waits for it where it is ahead. */
export function acceptLogClock(clock: LogClock, reading: ClockReading): LogClock {
  if (Number.isFinite(reading.wallMs + reading.monotonicMs)) return goOn(clock, reading);
  return readLogClock(clock, reading);
}

export class LogClockError extends PortcullisError<"log-clock-stopped"> {
  override name = "LogClockError";
}

/** @throws LogClockError while nothing may be signed */
export function assertLogClock({ status }: LogClock): void {
  if (status.kind === "ok") return;
  const { jumpMs, direction } = status;
  const got = `got a jump of ${Math.abs(jumpMs) / 1_000} s ${direction}`;
  throw new LogClockError(
    "log-clock-stopped",
    `expected a wall clock that moves by at most ${clockJumpMsMax / 1_000} s at once, ${got}`,
    { hint: "set the clock right, and signing goes on; or accept it, if it is right now" },
  );
}

function goOn(clock: LogClock, reading: ClockReading): LogClock {
  const logMs = later(clock.logMs, reading.wallMs);
  return { logMs, status: { kind: "ok" }, reference: reading, isLowerBound: false };
}

function later(logMs: number, timeMs: number): number {
  const wholeMs = Math.floor(timeMs);
  return wholeMs > logMs ? wholeMs : logMs;
}
