/** The steps of a rotation as a test takes them, and what must be true of each while one agent is in trouble. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { isOver } from "../../src/app/demo/mesh/operator.ts";
import type { Laggard } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import type { Fault } from "./faults.ts";
import type { Rig } from "./rig.ts";

/** Less than any leaf has left: renewal comes at half of its life. */
const faultMs = 4_000;
const lookMs = 1_500;

/** Long enough for the last old certificate to expire. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(90_000);
}

/** The new root does not sign before the agent's side has it. */
export async function prepareDuring(rig: Rig, fault: Fault, agent: string): Promise<void> {
  await during(rig, fault, agent, async () => {
    await rig.operator.insist("prepare", patience());
    await sleep(lookMs);
    const answer = await rig.operator.give("activate");
    assert(answer.kind === "refused", `activated while ${agent} was ${fault.name}`);
    assert.equal(answer.refusal.code, "verifiers-lagging");
    assertNamesOnly(rig, agent, answer.refusal.laggards);
  });
}

/** What it holds keeps the old root in the bundle. */
export async function activateDuring(rig: Rig, fault: Fault, agent: string): Promise<void> {
  await rig.operator.insist("activate", patience());
  await during(rig, fault, agent, async () => {
    await sleep(lookMs);
    const answer = await rig.operator.give("retire");
    assert(answer.kind === "refused", `retired while ${agent} was ${fault.name}`);
    assert.equal(answer.refusal.code, "holders-left");
    // A refusal names the first only.
    const { holders } = await rig.operator.status();
    const named = new Set(holders.flatMap((each) => each.named.map(({ spiffeId }) => spiffeId)));
    const missing = rig.workloadsOf(agent).filter((id) => !named.has(id));
    assert.deepEqual(missing, []);
  });
}

/** It may trust the old root as long as it has not said otherwise. */
export async function retireDuring(rig: Rig, fault: Fault, agent: string): Promise<void> {
  const isOpen = rig.operator.until(
    ({ steps }) => steps.some(({ command, isAllowed }) => command === "retire" && isAllowed),
    patience(),
  );
  await isOpen;
  await during(rig, fault, agent, async () => {
    await rig.operator.insist("retire", patience());
    await sleep(lookMs);
    const status = await rig.operator.status();
    assert(!isOver(status), `over while ${agent} was ${fault.name}`);
    assertNamesOnly(rig, agent, status.verifiers?.laggards ?? []);
  });
  await rig.operator.until(isOver, patience());
}

async function during(
  rig: Rig,
  fault: Fault,
  agent: string,
  work: () => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  await fault.begin(rig, agent);
  try {
    await work();
    await sleep(faultMs - (performance.now() - startedMs));
  } finally {
    await fault.end(rig, agent);
  }
}

function assertNamesOnly(rig: Rig, agent: string, laggards: readonly Laggard[]): void {
  assert.notEqual(laggards.length, 0);
  const own = rig.identitiesOf(agent);
  const others = laggards.filter(({ spiffeId }) => !own.includes(spiffeId));
  assert.deepEqual(
    others.map(({ name, reason }) => `${name} ${reason}`),
    [],
  );
}
