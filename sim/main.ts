/**
 * `npm run sim -- [--seed N] [--schedules N]`: the production code of rotations, in a world that a seed makes. A violation is
 * shrunk and printed, and the exit code is 1. `--schedule K` replays one; `--quiet` shrinks and counts nothing; `--least N` fails where
 * something was struck less often; `--focus NAME,...` does these actions often, and few others.
 */

import { parseArgs } from "node:util";
import { Coverage } from "./run/coverage.ts";
import { textOf } from "./run/fault.ts";
import { describeFault } from "./run/report.ts";
import { runSchedule } from "./run/schedule.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    schedules: { type: "string", default: "1000" },
    schedule: { type: "string" },
    least: { type: "string", default: "0" },
    focus: { type: "string", default: "" },
    quiet: { type: "boolean", default: false },
  },
});

const seed = Number(values.seed);
const first = Number(values.schedule ?? 0);
const end = values.schedule === undefined ? Number(values.schedules) : first + 1;
const focus = new Set(values.focus.split(",").filter((name) => name !== ""));
const coverage = new Coverage();
const startedMs = performance.now();
let events = 0;
let violations = 0;
let schedule = first;
for (; schedule < end && violations === 0; schedule++) {
  const outcome = runSchedule(seed, schedule, coverage, focus);
  events += outcome.events;
  if (outcome.fault === undefined) continue;
  violations++;
  const { fault } = outcome;
  say(values.quiet ? `VIOLATION: ${textOf(fault)}` : describeFault(seed, schedule, outcome));
}
const done = schedule - first;
const perSecond = (done * 1_000) / (performance.now() - startedMs);
if (!values.quiet && values.schedule === undefined) say(coverage.table());
const { name, count } = coverage.least();
say(
  `seed ${seed}: ${done} schedules, ${events} events, ${perSecond.toFixed(0)} schedules/s, ` +
    `${violations} violations; least covered: ${name}, ${count}`,
);
if (violations > 0 || count < Number(values.least)) process.exitCode = 1;
