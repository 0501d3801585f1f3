/**
 * `[--seed N] [--schedules N]`: until the first violation, which is shrunk and printed, and the exit code is 1. `--schedule K` runs one;
 * `--quiet` shrinks nothing.
 */

import { parseArgs } from "node:util";
import { textOf } from "./fault.ts";
import type { SimulatedWorld, WorldSchedules } from "./world-schedule.ts";

export function runCommand<World extends SimulatedWorld>(schedules: WorldSchedules<World>): void {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      schedules: { type: "string", default: "20000" },
      schedule: { type: "string" },
      quiet: { type: "boolean", default: false },
    },
  });
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const seed = Number(values.seed);
  const first = Number(values.schedule ?? 0);
  const end = values.schedule === undefined ? Number(values.schedules) : first + 1;
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  let [events, violations, schedule] = [0, 0, first];
  for (; schedule < end && violations === 0; schedule++) {
    const outcome = schedules.run(seed, schedule);
    events += outcome.events;
    for (const [what, count] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    if (outcome.fault === undefined) continue;
    violations++;
    if (values.quiet) say(`VIOLATION: ${textOf(outcome.fault)}`);
    else say(schedules.describe(seed, schedule, outcome));
  }
  if (!values.quiet && values.schedule === undefined) {
    for (const [what, count] of [...counts].toSorted(([a], [b]) => a.localeCompare(b)))
      say(`  ${what.padEnd(48)} ${count}`);
  }
  const done = schedule - first;
  const perSecond = (done * 1_000) / (performance.now() - startedMs);
  say(
    `seed ${seed}: ${done} schedules, ${events} events, ${perSecond.toFixed(0)} schedules/s, ${violations} violations`,
  );
  if (violations > 0) process.exitCode = 1;
}
