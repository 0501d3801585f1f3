/** Planted bugs of what a flip knows of the moment of its order and of its end, which the simulator of flips must find. */

import type { Mutation } from "../mutation/mutations.ts";

const missing = "src/core/evidence/missing-evidence.ts";
const superseding = "src/core/flip/superseding.ts";
const told = "src/core/flip/told-until.ts";

export const orderMutations: readonly Mutation[] = [
  {
    name: "the first stage opens without evidence of the order",
    file: told,
    before: "const sinceMs = last === undefined ? flip.startedMs : last.inForceMs;",
    after: "const sinceMs = last?.inForceMs;",
  },
  {
    name: "a stage opens without evidence of those who are not strict yet",
    file: told,
    before: "if (sinceMs === undefined) return [];",
    after: "if (sinceMs === undefined || (last !== undefined && !isStrict)) return [];",
  },
  {
    name: "whose agent is away has told enough",
    file: missing,
    before: "if (absence === undefined || goneMs !== undefined) return times;",
    after: "if (absence !== undefined || goneMs !== undefined) return times;",
  },
  {
    name: "nobody is asked for, and that is safe",
    file: "sim/flip/flip-sight.ts",
    before: 'evidence: "blind",\n  verdict: { kind: "unknown", names: [] },',
    after: 'evidence: "known", verdict: { kind: "safe", names: [] },',
  },
  {
    name: "an object that is missing ends a flip at once",
    file: superseding,
    before: "if (why === undefined || view.absentSinceMs === undefined) return why;",
    after: "if (flip.id > 0 || view.absentSinceMs === undefined) return why;",
  },
  {
    name: "an object that is missing is waited for for ever",
    file: superseding,
    before: "const isOver = nowMs >= missedUntilMs(view.absentSinceMs);",
    after: "const isOver = nowMs >= 2 * missedUntilMs(view.absentSinceMs);",
  },
  {
    name: "a flip that is done names nobody whom it has not seen",
    file: told,
    before: 'each.stage !== "no-proxy" && !hasTold(each, untilMs)',
    after: 'each.stage === "no-proxy" && !hasTold(each, untilMs)',
  },
  {
    name: "evidence of the window that is late is waited for for ever",
    file: told,
    before: "if (atMs >= Math.max(untilMs, view.lookedSinceMs) + lateMs) return [];",
    after: "if (atMs >= 2 * Math.max(untilMs, view.lookedSinceMs) + lateMs) return [];",
  },
];
