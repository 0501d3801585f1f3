/**
 * `npm run sim -- [--seed N] [--schedules N]`: the production code of rotations, in a world that a seed makes. A violation is
 * shrunk and printed, and the exit code is 1. `--schedule K` replays one; `--coverage` prints what struck when.
 */

import { parseArgs } from "node:util";
import { Coverage } from "./run/coverage.ts";
import { describeFault, textOf } from "./run/report.ts";
import { runSchedule } from "./run/schedule.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    schedules: { type: "string", default: "1000" },
    schedule: { type: "string" },
    quiet: { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
  },
});

const seed = Number(values.seed);
const first = Number(values.schedule ?? 0);
const count = values.schedule === undefined ? Number(values.schedules) : 1;
const coverage = new Coverage();
const startedMs = performance.now();
let events = 0;
let done = 0;
for (let schedule = first; schedule < first + count; schedule++) {
  const outcome = runSchedule(seed, schedule, coverage);
  events += outcome.events;
  done++;
  if (outcome.fault === undefined) continue;
  say(
    values.quiet ? `VIOLATION: ${textOf(outcome.fault)}` : describeFault(seed, schedule, outcome),
  );
  process.exitCode = 1;
  break;
}
const seconds = (performance.now() - startedMs) / 1_000;
if (values.coverage) say(coverage.table());
say(
  `seed ${seed}: ${done} schedules, ${events} events, ${(done / seconds).toFixed(0)} schedules/s, ` +
    `${process.exitCode === 1 ? 1 : 0} violations, least covered ${coverage.least()}`,
);
