/**
 * Agents' streams on one server, over TLS, each with a certificate of its own: what they cost it in memory, how long a bundle
 * takes from the moment when it was durable until the server has everybody's confirmation, and what one report costs.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { readUsage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import type { Measure } from "./report.ts";
import type { StreamsRig } from "./streams-rig.ts";

export interface StreamsCase {
  readonly agents: number;
  /** By when the server is to have all confirmations. */
  readonly bundleMs?: number;
  readonly reportsEach: number;
}

/** For garbage, and for what follows a message. */
const settleMs = 3_000;
const timeoutMs = 120_000;
/** Of a stream with its connection and what the server keeps of it. */
const bytesMax = 130 * 1_024;
const reportCpuMax = 50;

export async function benchStreams(
  fixture: Fixture,
  rig: StreamsRig,
  each: StreamsCase,
): Promise<Measure[]> {
  const name = `${each.agents.toLocaleString("en")} agents' streams`;
  return [
    ...memoryMeasures(name, each.agents, rig.rssMiB),
    ...(await benchBundles(fixture, rig, name, each)),
    ...(await benchReports(fixture, rig, name, each)),
  ];
}

function memoryMeasures(
  name: string,
  agents: number,
  [idle, connected, greeted]: StreamsRig["rssMiB"],
): Measure[] {
  const of = (from: number, to: number): number[] => [((to - from) * 1_048_576) / agents];
  const bound = { kind: "target", value: bytesMax } as const;
  return [
    { name: `${name}: memory of each`, kind: "size", runs: of(idle, greeted), bound },
    { name: `${name}: of it the bare connection`, kind: "size", runs: of(idle, connected) },
  ];
}

/** From a durable trust state to everybody's confirmation, in the server's hands. */
async function benchBundles(
  { size, progress, signal }: Fixture,
  { agents, rotations }: StreamsRig,
  name: string,
  { bundleMs }: StreamsCase,
): Promise<Measure[]> {
  const last: number[] = [];
  const p50: number[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${name}: new bundle ${run + 1} of ${size.runs}`);
    const { sequence, acceptedAtMs } = await rotations.order("prepare");
    const taken = await agents.done("taken", sequence, timeoutMs);
    last.push(taken.lastAtMs - acceptedAtMs);
    p50.push(taken.p50AtMs - acceptedAtMs);
    await sleep(settleMs, undefined, { signal });
    const withdrawn = await rotations.order("abort");
    await agents.done("taken", withdrawn.sequence, timeoutMs);
    await sleep(settleMs, undefined, { signal });
  }
  const bound = bundleMs !== undefined && { kind: "target" as const, value: bundleMs };
  return [
    {
      name: `${name}: a new bundle confirmed by all`,
      kind: "latency",
      runs: last,
      ...(bound && { bound }),
    },
    { name: `${name}: by half of them`, kind: "latency", runs: p50 },
  ];
}

/** What the same reports cost a server that keeps nothing of them. */
export async function benchReportsFloor(
  fixture: Fixture,
  rig: StreamsRig,
  { agents, reportsEach }: StreamsCase,
): Promise<Measure[]> {
  const runs = await reportMicros(fixture, rig, agents, reportsEach);
  return [{ name: "a report whose answer is fixed: server CPU", kind: "cpu", runs }];
}

async function benchReports(
  fixture: Fixture,
  rig: StreamsRig,
  name: string,
  { agents, reportsEach }: StreamsCase,
): Promise<Measure[]> {
  if (reportsEach === 0) return [];
  const runs = await reportMicros(fixture, rig, agents, reportsEach);
  const bound = { kind: "target", value: reportCpuMax } as const;
  return [{ name: `${name}: a report, server CPU`, kind: "cpu", runs, bound }];
}

async function reportMicros(
  { size, progress }: Fixture,
  { agents, server }: StreamsRig,
  count: number,
  reportsEach: number,
): Promise<number[]> {
  const runs: number[] = [];
  // The first run is for V8.
  for (let run = 0; run <= size.runs; run++) {
    progress(`${count * reportsEach} reports: run ${run} of ${size.runs}`);
    const before = await readUsage(server.pid);
    agents.command(`report ${reportsEach}`);
    await agents.done("reported", run + 1, timeoutMs);
    const after = await readUsage(server.pid);
    if (run > 0) runs.push((after.cpuMicros - before.cpuMicros) / (count * reportsEach));
  }
  return runs;
}
