/**
 * What a process has used, as the Linux kernel counts it: all of its threads, those that have ended
 * included. CPU time comes in clock ticks of 10 ms, so measure over seconds.
 */

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { PortcullisError } from "../src/core/error.ts";

export class UsageError extends PortcullisError<"usage-unreadable"> {
  override name = "UsageError";
}

export interface Usage {
  /** User and system, since the process started. */
  readonly cpuMicros: number;
  readonly rssMiB: number;
  /** The most that `rssMiB` ever was. */
  readonly rssPeakMiB: number;
  /** Shared pages in proportion to those who share them. */
  readonly pssMiB: number;
}

/** @throws UsageError if there is no such process, or no /proc */
export async function readUsage(pid: number): Promise<Usage> {
  try {
    const [stat, status, smaps] = await Promise.all(
      ["stat", "status", "smaps_rollup"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")),
    );
    return parseUsage({ stat, status, smaps }, ticksPerSecond());
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError("usage-unreadable", `expected to read /proc/${pid}, got an error`, {
      cause,
      hint: "CPU and memory of the server can be measured on Linux only, by its own user",
    });
  }
}

/** The texts of proc_pid_stat(5), proc_pid_status(5) and proc_pid_smaps(5), the rolled-up form. */
export interface UsageTexts {
  readonly stat: string | undefined;
  readonly status: string | undefined;
  readonly smaps: string | undefined;
}

/** @throws UsageError */
export function parseUsage(texts: UsageTexts, ticksPerSecond: number): Usage {
  // The command, field 2, may hold spaces and parentheses; behind its last one, utime and stime are
  // the 12th and 13th.
  const stat = texts.stat ?? "";
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw unreadable("utime and stime in stat");
  return Object.freeze({
    cpuMicros: (ticks * 1e6) / ticksPerSecond,
    rssMiB: parseMiB(texts.status, "VmRSS"),
    rssPeakMiB: parseMiB(texts.status, "VmHWM"),
    pssMiB: parseMiB(texts.smaps, "Pss"),
  });
}

function parseMiB(text: string | undefined, key: string): number {
  const kib = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text ?? "")?.[1];
  if (kib === undefined) throw unreadable(key);
  return Number(kib) / 1024;
}

function ticksPerSecond(): number {
  const ticks = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  if (!(ticks > 0)) throw unreadable("CLK_TCK");
  return ticks;
}

function unreadable(what: string): UsageError {
  return new UsageError("usage-unreadable", `expected ${what}, got nothing of the kind`);
}
