/**
 * Newcomers while everybody else renews: identities that hold certificates by the log, all at once, each with a call in
 * flight, and meanwhile identities that hold none, at a steady pace. A newcomer's clock runs from the moment when it is due.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeCorpus } from "./corpus.ts";
import type { LoadFixture } from "./fixture.ts";
import type { LoadOutcome } from "./load-outcome.ts";
import { runLoad, type LoadOptions } from "./load.ts";
import { percentile } from "./percentile.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

/** What a server lets one connection have in flight. */
const perConnection = 100;
const everyMs = 5;
/** In flight at most; those that are due and find none free wait, and their clocks run. */
const newcomersInFlight = 64;
/** Enough of them come first, and until the last renewal is answered, also on a slow machine. */
const headStartMs = 1_000;
const stormMsPerRenewal = 1;

export async function benchNewcomer(fixture: LoadFixture): Promise<Measure[]> {
  const { size, directory, progress } = fixture;
  const { renewals } = size;
  const newcomers = Math.ceil((headStartMs + renewals * stormMsPerRenewal) / everyMs);
  const files = { renewals: join(directory, "renewals"), newcomers: join(directory, "newcomers") };
  progress(`minting tokens of ${renewals} identities and ${newcomers} newcomers`);
  await mint(fixture, files.renewals, 2 * renewals, renewals, 0);
  await mint(fixture, files.newcomers, size.runs * newcomers, size.runs * newcomers, renewals);
  await using server = await BenchServer.start(fixture);
  const common = commonOptions(fixture, server);
  const { load } = fixture.programs;
  progress(`${renewals} first certificates`);
  const first = { ...common, requestsFile: files.renewals, connections: 4, inFlight: 64 };
  expectAll(await runLoad(load, { ...first, count: renewals }, fixture.signal));
  const rounds: Round[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${renewals} renewals at once: run ${run + 1} of ${size.runs}`);
    const storm: LoadOptions = {
      ...common,
      requestsFile: files.renewals,
      connections: Math.ceil(renewals / perConnection),
      inFlight: renewals,
      count: renewals,
      skip: renewals,
    };
    const others: LoadOptions = {
      ...common,
      requestsFile: files.newcomers,
      connections: newcomersInFlight,
      inFlight: newcomersInFlight,
      everyMs,
      count: newcomers,
      skip: run * newcomers,
    };
    const coming = runLoad(load, others, fixture.signal);
    const renewing = sleep(headStartMs).then(() => runLoad(load, storm, fixture.signal));
    const [renewed, came] = await Promise.all([renewing, coming]);
    rounds.push(roundOf(renewed, came));
  }
  return measuresOf(`${renewals.toLocaleString("en")} renewals at once`, rounds);
}

interface Round {
  readonly renewed: LoadOutcome;
  readonly came: LoadOutcome;
  /** Of newcomers that were due during the storm, in order. */
  readonly latencies: readonly number[];
}

function roundOf(renewed: LoadOutcome, came: LoadOutcome): Round {
  const { startedAtMs, seconds } = renewed;
  const during = came.samples.filter(
    ({ dueAtMs }) => dueAtMs >= startedAtMs && dueAtMs <= startedAtMs + seconds * 1_000,
  );
  const latencies = during.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
  if (latencies.length === 0) throw new Error("no newcomer has come during the renewals");
  return { renewed, came, latencies };
}

function measuresOf(name: string, rounds: readonly Round[]): Measure[] {
  const bound = { kind: "target", value: 50 } as const;
  const of = (value: (round: Round) => number): number[] => rounds.map(value);
  const p99 = of(({ latencies }) => percentile(latencies, 0.99));
  return [
    { name: `${name}: p99 of newcomers`, kind: "latency", runs: p99, bound },
    {
      name: `${name}: p50 of newcomers`,
      kind: "latency",
      runs: of(({ latencies }) => percentile(latencies, 0.5)),
    },
    { name: `${name}: newcomers`, kind: "count", runs: of(({ latencies }) => latencies.length) },
    { name: `${name}: newcomers refused`, kind: "count", runs: of(({ came }) => failures(came)) },
    {
      name: `${name}: renewals refused`,
      kind: "count",
      runs: of(({ renewed }) => failures(renewed)),
    },
    { name: `${name}: all answered`, kind: "duration", runs: of(({ renewed }) => renewed.seconds) },
  ];
}

function failures({ failed }: LoadOutcome): number {
  return [...failed.values()].reduce((sum, count) => sum + count, 0);
}

function expectAll(outcome: LoadOutcome): void {
  if (failures(outcome) > 0) throw new Error(`requests failed: ${outcome.firstError}`);
}

function commonOptions({ rootFile }: LoadFixture, { address }: BenchServer) {
  return { address, serverName: "localhost", rootFile, mode: "steady", fresh: true } as const;
}

async function mint(
  { seed, tokens, signal }: LoadFixture,
  file: string,
  records: number,
  workloads: number,
  first: number,
): Promise<void> {
  const trustDomain = "cluster.local";
  await writeCorpus({ file, records, workloads, first, seed, tokens, trustDomain }, signal);
}
