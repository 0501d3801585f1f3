/**
 * `npm run sim:policy -- [--seed N] [--schedules N]`: production's rollout of policies, in a mesh that a seed makes. A violation is
 * shrunk and printed, and the exit code is 1. `--schedule K` runs one; `--quiet` shrinks nothing.
 */

import { parseArgs } from "node:util";
import { describePolicyFault, runPolicySchedule, textOf } from "./schedule.ts";

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
let [events, violations, schedule] = [0, 0, first];
for (; schedule < end && violations === 0; schedule++) {
  const outcome = runPolicySchedule(seed, schedule);
  events += outcome.events;
  if (outcome.fault === undefined) continue;
  violations++;
  if (values.quiet) say(`VIOLATION: ${textOf(outcome.fault)}`);
  else say(describePolicyFault(seed, schedule, outcome));
}
const done = schedule - first;
const perSecond = (done * 1_000) / (performance.now() - startedMs);
say(
  `seed ${seed}: ${done} schedules, ${events} events, ${perSecond.toFixed(0)} schedules/s, ${violations} violations`,
);
if (violations > 0) process.exitCode = 1;
