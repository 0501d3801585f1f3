/** Runs of one load on one server, and what they measured. */

import { readUsage } from "./cpu.ts";
import type { LoadFixture } from "./fixture.ts";
import type { LoadOutcome } from "./load-outcome.ts";
import { runLoad, type LoadOptions } from "./load.ts";
import type { Measure } from "./report.ts";
import type { BenchServer } from "./server.ts";

export interface LoadCase {
  readonly name: string;
  readonly mode: LoadOptions["mode"];
  /** Calls. */
  readonly inFlight: number;
  /** Certificates in each call of `SignBatch`; without it, one in each `CreateCertificate`. */
  readonly batch?: number;
  readonly fresh: boolean;
  /** Of the size's count of certificates. */
  readonly share: number;
  readonly bounds?: {
    readonly cpu?: Pick<Measure, "peer" | "bound">;
    readonly rate?: Pick<Measure, "peer" | "bound">;
    readonly p99?: Pick<Measure, "peer" | "bound">;
  };
}

export interface DrivenServer {
  readonly server: BenchServer;
  readonly identity?: NonNullable<LoadOptions["identity"]>;
}

/** Until V8 has compiled what is hot: before, its compiler threads cost as much as the work. */
export const warmUpCount = 8_000;

/** How many certificates a run of the case asks for: whole batches. */
export function countOf({ share, batch = 1 }: LoadCase, count: number): number {
  return Math.ceil((count * share) / batch) * batch;
}

/** How many records the requests file must have for `driveCases`. */
export function recordsNeeded(cases: readonly LoadCase[], count: number, runs: number): number {
  const fresh = cases.filter((each) => each.fresh);
  return fresh.reduce((sum, each) => sum + countOf(each, count) * runs, warmUpCount);
}

/** One after the other, on a server that the first of them has warmed up. */
export async function driveCases(
  fixture: LoadFixture,
  driven: DrivenServer,
  cases: readonly LoadCase[],
): Promise<Measure[]> {
  const { size, progress } = fixture;
  let skip = 0;
  const measures: Measure[] = [];
  progress("warming up");
  for (const each of cases.slice(0, 1)) await drive(fixture, driven, each, warmUpCount, skip);
  skip += warmUpCount;
  for (const each of cases) {
    const count = countOf(each, size.count);
    const runs: Run[] = [];
    for (let run = 0; run < size.runs; run++) {
      progress(`${each.name}: run ${run + 1} of ${size.runs}`);
      runs.push(await drive(fixture, driven, each, count, each.fresh ? skip : 0));
      if (each.fresh) skip += count;
    }
    measures.push(...measuresOf(each, runs));
  }
  return measures;
}

export interface Run {
  /** Of the server, for each certificate. */
  readonly cpuMicros: number;
  /** Certificates. */
  readonly perSecond: number;
  readonly outcome: LoadOutcome;
}

/** @param skip records that have been used up */
export async function drive(
  { programs, rootFile, requestsFile, oneRequestFile, signal }: LoadFixture,
  { server, identity }: DrivenServer,
  { name, mode, inFlight, batch, fresh }: LoadCase,
  count: number,
  skip: number,
): Promise<Run> {
  const before = await readUsage(server.pid);
  const options: LoadOptions = {
    address: server.address,
    serverName: "localhost",
    rootFile,
    requestsFile: fresh ? requestsFile : oneRequestFile,
    mode,
    connections: Math.min(4, inFlight),
    inFlight,
    fresh,
    count,
    skip,
    ...(batch !== undefined && { batch }),
    ...(identity !== undefined && { identity }),
  };
  const outcome = await runLoad(programs.load, options, signal);
  const after = await readUsage(server.pid);
  if (outcome.failed.size > 0) throw new Error(`${name}: requests failed: ${outcome.firstError}`);
  return {
    cpuMicros: (after.cpuMicros - before.cpuMicros) / count,
    perSecond: outcome.perSecond * (batch ?? 1),
    outcome,
  };
}

export function measuresOf({ name, bounds }: LoadCase, runs: readonly Run[]): Measure[] {
  const cpu = runs.map(({ cpuMicros }) => cpuMicros);
  const rate = runs.map(({ perSecond }) => perSecond);
  const p99 = runs.map(({ outcome }) => outcome.p99Ms);
  const p50 = runs.map(({ outcome }) => outcome.p50Ms);
  return [
    { name: `${name}: server CPU`, kind: "cpu", runs: cpu, ...bounds?.cpu },
    { name: `${name}: certificates`, kind: "rate", runs: rate, ...bounds?.rate },
    { name: `${name}: p99`, kind: "latency", runs: p99, ...bounds?.p99 },
    { name: `${name}: p50`, kind: "latency", runs: p50 },
  ];
}
