/** The server dies at each durable write of a rotation, right before it and right after, and the mesh does not notice. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { authorityIn, isOver } from "../../src/app/demo/mesh/operator.ts";
import type { RootStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import type { Mortality } from "../support/server-process.ts";
import { Rig } from "./rig.ts";
import { patience } from "./steps.ts";
import { assertNoneFailed, verdictText } from "./verdict.ts";

const agents = [
  { name: "s1" },
  { name: "s2" },
  { name: "node-a", members: ["a1", "a2"] },
  { name: "node-b", members: ["b1", "b2"] },
];

interface Step {
  readonly command: "prepare" | "activate" | "rollback" | "retire";
  readonly isDone: (status: RootStatus) => boolean;
  /** What may go on by itself afterwards. */
  readonly isSettled?: (status: RootStatus) => boolean;
}

const has = (state: string) => (status: RootStatus) => authorityIn(status, state) !== undefined;

const steps: readonly Step[] = [
  { command: "prepare", isDone: has("prepared") },
  { command: "activate", isDone: has("retiring") },
  { command: "rollback", isDone: has("prepared") },
  { command: "activate", isDone: has("retiring") },
  { command: "retire", isDone: (status) => !has("retiring")(status), isSettled: isOver },
];

/** Renewals are due when a certificate of 15 s has 7 s left: longer than a server needs to come back. */
const leftMs = 6_000;
/** Of the trust state. */
const stateWrite = "trust-replace";
/** More than a step has. */
const writesMax = 12;

/** A mesh each, at the same time: most of it is waiting for certificates to end. */
describe("a rotation of six Envoys", { concurrency: 2 }, () => {
  for (const moment of ["before", "after"] as const) {
    it(`goes on when it is killed ${moment} each durable write`, async (t) => {
      let armed = "";
      const mortality = (directory: string): Mortality => {
        armed = join(directory, "armed");
        const preload = join(import.meta.dirname, "kill-when-armed.ts");
        return { preload, env: { PORTCULLIS_TEST_ARMED: armed } };
      };
      await using rig = await Rig.open({ agents, ttlSeconds: 15, ratePerSecond: 50, mortality });
      const died = new Set<string>();
      let number = 1;
      for (let deaths = 1; deaths > 0 && number <= writesMax; number++) {
        deaths = 0;
        for (const step of steps) {
          const write = await stepWithDeath(rig, step, armed, `${moment}:${number}`, mortality);
          if (write === undefined) continue;
          deaths++;
          died.add(`${step.command} ${write}`);
        }
      }
      // What goes on beside a step writes, too, so that a number may have passed over the one that matters most.
      for (const step of steps) {
        const isMissing = !died.has(`${step.command} ${stateWrite}`);
        const which = isMissing ? stateWrite : "0";
        const write = await stepWithDeath(rig, step, armed, `${moment}:${which}`, mortality);
        if (write !== undefined) died.add(`${step.command} ${write}`);
      }
      const verdict = await rig.verdict();
      t.diagnostic(`${number - 1} rotations, killed at: ${[...died].toSorted().join(", ")}`);
      t.diagnostic(verdictText(verdict));
      assertNoneFailed(verdict);
      for (const { command } of steps) assert(died.has(`${command} ${stateWrite}`), command);
    });
  }
});

/** @returns the name of the write that it died at; undefined if the step has not so many */
async function stepWithDeath(
  rig: Rig,
  { command, isDone, isSettled = isDone }: Step,
  armed: string,
  order: string,
  mortality: (directory: string) => Mortality,
): Promise<string | undefined> {
  const { operator, server } = rig;
  const isAllowed = (status: RootStatus): boolean =>
    status.steps.some((each) => each.command === command && each.isAllowed);
  await operator.until(isAllowed, patience());
  await rig.untilAllHaveLeft(leftMs);
  writeFileSync(armed, order);
  const given = operator.give(command).catch(() => undefined);
  const settled = given
    .then(() => operator.until(isSettled, patience()))
    .then(() => "settled" as const)
    .catch(() => "lost" as const);
  const end = await Promise.race([settled, server.died().then(() => "died" as const)]);
  rmSync(armed, { force: true });
  const seen = existsSync(`${armed}.seen`) ? readFileSync(`${armed}.seen`, "utf8") : "";
  rmSync(`${armed}.seen`, { force: true });
  const writes = seen.split("\n").slice(0, -1);
  const [, which = ""] = order.split(":");
  const name = which === stateWrite ? which : writes[Number(which) - 1];
  // It tells of a write before that, and may look settled before it dies.
  const isDoomed = name !== undefined && writes.includes(name);
  if (end === "settled" && !isDoomed) return undefined;
  await server.died();
  await sleep(200);
  await server.start(mortality(join(armed, "..")));
  while (!isDone(await operator.status())) {
    await operator.give(command);
    await sleep(100);
  }
  await operator.until(isSettled, patience());
  return name;
}
