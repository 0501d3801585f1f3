/** What a certificate costs: server CPU, rate and latency, at several loads. */

import { readUsage } from "./cpu.ts";
import { runLoad, type LoadOptions, type LoadOutcome } from "./load.ts";
import type { Measure } from "./report.ts";
import type { BenchServer } from "./server.ts";

export interface IssuanceBench {
  readonly load: string;
  readonly server: BenchServer;
  readonly rootFile: string;
  /** As many records as `recordsNeeded` says, each with a token of its own. */
  readonly requestsFile: string;
  /** One record. */
  readonly oneRequestFile: string;
  /** Requests in each run. */
  readonly count: number;
  readonly runs: number;
  readonly signal: AbortSignal;
}

interface Case {
  readonly name: string;
  readonly mode: LoadOptions["mode"];
  readonly inFlight: number;
  readonly fresh: boolean;
  /** Of `count`: a handshake costs as much as three certificates. */
  readonly share: number;
  readonly bounds?: {
    readonly cpu?: Pick<Measure, "peer" | "bound">;
    readonly rate?: Pick<Measure, "peer" | "bound">;
    readonly p99?: Pick<Measure, "peer" | "bound">;
  };
}

const cases: readonly Case[] = [
  {
    name: "fresh token, 16 in flight",
    mode: "steady",
    inFlight: 16,
    fresh: true,
    share: 1,
    bounds: {
      cpu: { peer: { name: "istiod", value: 424 }, bound: { kind: "target", value: 320 } },
      rate: { peer: { name: "istiod", value: 3_671 }, bound: { kind: "target", value: 4_000 } },
      p99: { peer: { name: "istiod", value: 11 }, bound: { kind: "target", value: 11 } },
    },
  },
  { name: "fresh token, 1 in flight", mode: "steady", inFlight: 1, fresh: true, share: 0.25 },
  { name: "fresh token, 64 in flight", mode: "steady", inFlight: 64, fresh: true, share: 1 },
  { name: "same token, 16 in flight", mode: "steady", inFlight: 16, fresh: false, share: 1 },
  {
    name: "a new TLS connection for each",
    mode: "reconnect",
    inFlight: 16,
    fresh: true,
    share: 0.2,
    bounds: {
      cpu: { peer: { name: "istiod", value: 1_066 }, bound: { kind: "target", value: 1_066 } },
      rate: { peer: { name: "istiod", value: 771 } },
    },
  },
];

/** How many records the requests file must have. */
export function recordsNeeded(count: number, runs: number): number {
  const fresh = cases.filter((each) => each.fresh);
  const sum = fresh.reduce((total, { share }) => total + Math.ceil(count * share) * runs, 0);
  return sum + warmUpCount;
}

/** Until V8 has compiled what is hot: before, its compiler threads cost as much as the work. */
const warmUpCount = 8_000;

export async function benchIssuance(
  bench: IssuanceBench,
  onProgress: (text: string) => void,
): Promise<Measure[]> {
  let skip = 0;
  const measures: Measure[] = [];
  onProgress("warming up");
  for (const each of cases.slice(0, 1)) await drive(bench, each, warmUpCount, skip);
  skip += warmUpCount;
  for (const each of cases) {
    const count = Math.ceil(bench.count * each.share);
    const runs: Run[] = [];
    for (let run = 0; run < bench.runs; run++) {
      onProgress(`${each.name}: run ${run + 1} of ${bench.runs}`);
      runs.push(await drive(bench, each, count, each.fresh ? skip : 0));
      if (each.fresh) skip += count;
    }
    measures.push(...measuresOf(each, runs));
  }
  return measures;
}

/** What the same requests cost a server that only answers. */
export async function benchFloor(bench: IssuanceBench): Promise<Measure> {
  const runs: number[] = [];
  for (const each of cases.slice(0, 1)) {
    await drive(bench, each, bench.count, 0);
    for (let run = 0; run < bench.runs; run++) {
      runs.push((await drive(bench, each, bench.count, 0)).cpuMicros);
    }
  }
  return { name: "a fixed answer, 16 in flight: server CPU", kind: "cpu", runs };
}

interface Run {
  readonly cpuMicros: number;
  readonly outcome: LoadOutcome;
}

async function drive(bench: IssuanceBench, each: Case, count: number, skip: number): Promise<Run> {
  const { server, load, rootFile, signal } = bench;
  const before = await readUsage(server.pid);
  const outcome = await runLoad(
    load,
    {
      address: server.address,
      serverName: "localhost",
      rootFile,
      requestsFile: each.fresh ? bench.requestsFile : bench.oneRequestFile,
      mode: each.mode,
      connections: Math.min(4, each.inFlight),
      inFlight: each.inFlight,
      fresh: each.fresh,
      count,
      skip,
    },
    signal,
  );
  const after = await readUsage(server.pid);
  if (outcome.failed.size > 0) {
    throw new Error(`${each.name}: requests failed: ${outcome.firstError}`);
  }
  return { cpuMicros: (after.cpuMicros - before.cpuMicros) / outcome.ok, outcome };
}

function measuresOf({ name, bounds }: Case, runs: readonly Run[]): Measure[] {
  const outcomes = runs.map(({ outcome }) => outcome);
  return [
    {
      name: `${name}: server CPU`,
      kind: "cpu",
      runs: runs.map((r) => r.cpuMicros),
      ...bounds?.cpu,
    },
    {
      name: `${name}: certificates`,
      kind: "rate",
      runs: outcomes.map((outcome) => outcome.perSecond),
      ...bounds?.rate,
    },
    {
      name: `${name}: p99`,
      kind: "latency",
      runs: outcomes.map((outcome) => outcome.p99Ms),
      ...bounds?.p99,
    },
    { name: `${name}: p50`, kind: "latency", runs: outcomes.map((outcome) => outcome.p50Ms) },
  ];
}
