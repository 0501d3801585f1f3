/** The minute itself: traffic all the time, and two crashes that it must not notice. */

import { setTimeout as sleep } from "node:timers/promises";
import { Probe } from "./probe.ts";
import {
  agentPauseMs,
  controlPlaneStartMs,
  leafSeconds,
  outageMs,
  trafficMs,
  type Schedule,
} from "./schedule.ts";
import type { Parts } from "./stage.ts";
import type { Traffic } from "./traffic.ts";
import type { Fact, WorkloadName } from "./fact.ts";
import type { TlsCounters } from "./tls-counters.ts";
import type { Watch } from "./watch.ts";
import { workloadId } from "./workload.ts";

export interface Scenario {
  readonly parts: Parts;
  readonly schedule: Schedule;
  readonly traffic: Traffic;
  readonly watch: Watch;
  readonly nowMs: () => number;
  readonly onFact: (fact: Fact) => void;
}

export interface Outcome {
  readonly probe: Probe;
  readonly controlPlane: Deed;
  readonly agent: Deed;
  readonly tls: Readonly<Record<WorkloadName, TlsCounters>>;
}

/** A kill. */
interface Deed {
  readonly killedAtMs: number;
  /** From the kill until it was ready again, or, of an agent, started. */
  readonly awayMs: number;
}

export const requestTimeoutMs = 10_000;

/** What the programs have to say comes up to 100 ms late. */
const settleMs = 500;

/** @throws the signal's reason when it aborts */
export async function playScenario(scenario: Scenario, signal: AbortSignal): Promise<Outcome> {
  const { parts, traffic, watch, nowMs, onFact } = scenario;
  const probe = new Probe({
    identity: parts.probeIdentity,
    port: parts.serverPort,
    serverId: workloadId("server"),
    timeoutMs: requestTimeoutMs,
    leafMs: leafSeconds * 1_000,
    nowMs,
    onFact,
  });
  onFact({ kind: "traffic-started", atMs: nowMs() });
  const failure = new AbortController();
  const goesOn = AbortSignal.any([signal, failure.signal]);
  const ends = AbortSignal.any([goesOn, AbortSignal.timeout(trafficMs)]);
  const tasks = [
    crashControlPlane(scenario, goesOn),
    crashAgent(scenario, goesOn),
    traffic.run(ends),
    probe.run(ends),
    watch.run(ends),
  ] as const;
  const [controlPlane, agent] = await allOrNone(tasks, failure);
  await sleep(settleMs, undefined, { signal });
  const [client, server] = await Promise.all([
    parts.client.read(signal),
    parts.server.read(signal),
  ]);
  return { probe, controlPlane, agent, tls: { client: client.tls, server: server.tls } };
}

/**
 * The first failure ends the others, and all have ended when it is thrown: none may start a process
 * behind the back of who tears down.
 */
async function allOrNone<T extends readonly Promise<unknown>[]>(
  tasks: T,
  failure: AbortController,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  for (const task of tasks) task.catch((error: unknown) => failure.abort(error));
  await Promise.allSettled(tasks);
  if (failure.signal.aborted) throw failure.signal.reason;
  return Promise.all(tasks);
}

async function crashControlPlane(
  { parts: { controlPlane }, schedule, nowMs }: Scenario,
  signal: AbortSignal,
): Promise<Deed> {
  await sleep(schedule.controlPlaneKillMs, undefined, { signal });
  const killedAtMs = nowMs();
  await controlPlane.kill();
  await sleep(killedAtMs + outageMs - controlPlaneStartMs - nowMs(), undefined, { signal });
  await controlPlane.restart(signal);
  return { killedAtMs, awayMs: nowMs() - killedAtMs };
}

async function crashAgent(
  { parts, schedule, nowMs }: Scenario,
  signal: AbortSignal,
): Promise<Deed> {
  const workload = parts[schedule.agent];
  await sleep(schedule.agentKillMs, undefined, { signal });
  const killedAtMs = nowMs();
  await workload.killAgent();
  await sleep(killedAtMs + agentPauseMs - nowMs(), undefined, { signal });
  await workload.restartAgent();
  return { killedAtMs, awayMs: nowMs() - killedAtMs };
}
