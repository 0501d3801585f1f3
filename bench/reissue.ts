/**
 * Newcomers while a mesh is re-issued at the configured pace, after another authority has begun to sign: each agent that is
 * asked takes a new certificate on a new connection, and then a new stream. A newcomer's clock runs from when it is due.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeCorpus } from "./corpus.ts";
import { readUsage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import { runLoad } from "./load.ts";
import { percentile } from "./percentile.ts";
import type { Measure } from "./report.ts";
import type { StreamsRig } from "./streams-rig.ts";

/** The server's default, rotation.reissuePerSecond. */
const perSecond = 25;
const everyMs = 20;
const windowMsMax = 20_000;
const newcomersInFlight = 16;
const timeoutMs = 600_000;

export async function benchReissue(
  fixture: Fixture,
  rig: StreamsRig,
  agents: number,
): Promise<Measure[]> {
  const { size, progress } = fixture;
  const windowMs = Math.min(windowMsMax, ((agents / perSecond) * 1_000) / (size.runs + 1));
  const newcomers = await Newcomers.mint(fixture, rig, agents, Math.floor(windowMs / everyMs));
  const name = `${agents.toLocaleString("en")} workloads re-issued`;
  const { sequence } = await rig.rotations.order("prepare");
  await rig.agents.done("taken", sequence, timeoutMs);
  const idle: number[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${name}: newcomers before it, ${run + 1} of ${size.runs}`);
    idle.push(await newcomers.p99Ms());
  }
  const pids = [rig.server.pid, rig.agents.pid];
  const before = await Promise.all(pids.map(readUsage));
  const { acceptedAtMs } = await rig.rotations.order("activate");
  const busy: number[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${name}: newcomers meanwhile, ${run + 1} of ${size.runs}`);
    busy.push(await newcomers.p99Ms());
  }
  progress(`${name}: the last of them`);
  const { lastAtMs } = await rig.agents.done("renewed", 1, timeoutMs);
  const after = await Promise.all(pids.map(readUsage));
  const [server = Number.NaN, others = Number.NaN] = after.map(
    ({ cpuMicros }, index) => (cpuMicros - (before[index]?.cpuMicros ?? Number.NaN)) / agents,
  );
  const seconds = (lastAtMs - acceptedAtMs) / 1_000;
  return [
    { name: `${name}: p99 of newcomers before it`, kind: "latency", runs: idle },
    { name: `${name}: p99 of newcomers`, kind: "latency", runs: busy },
    {
      name: `${name}: p99 before it, of that meanwhile`,
      kind: "share",
      runs: busy.map((p99, run) => (idle[run] ?? Number.NaN) / p99),
      bound: { kind: "target", value: 0.5 },
    },
    { name: `${name}: all`, kind: "duration", runs: [seconds] },
    {
      name: `${name}: server CPU for each, newcomers included`,
      kind: "cpu",
      runs: [server],
    },
    // Where it is much, newcomers wait for a core, and not for the server.
    { name: `${name}: the agents' own CPU for each`, kind: "cpu", runs: [others] },
  ];
}

/** Identities that have no certificate yet, at a steady pace. */
class Newcomers {
  readonly #fixture: Fixture;
  readonly #rig: StreamsRig;
  readonly #requestsFile: string;
  readonly #count: number;
  #skip = 0;

  private constructor(fixture: Fixture, rig: StreamsRig, requestsFile: string, count: number) {
    this.#fixture = fixture;
    this.#rig = rig;
    this.#requestsFile = requestsFile;
    this.#count = count;
  }

  /** @param first number of an identity that is new @param count of those that come in a window */
  static async mint(
    fixture: Fixture,
    rig: StreamsRig,
    first: number,
    count: number,
  ): Promise<Newcomers> {
    const { size, seed, tokens, signal, directory, progress } = fixture;
    const records = 2 * size.runs * count;
    progress(`minting tokens of ${records} newcomers`);
    const file = join(directory, "reissue-newcomers");
    const trustDomain = "cluster.local";
    const corpus = { file, records, workloads: records, first, seed, tokens, trustDomain };
    await writeCorpus(corpus, signal);
    return new Newcomers(fixture, rig, file, count);
  }

  /** Of one window. */
  async p99Ms(): Promise<number> {
    const { programs, directory, signal } = this.#fixture;
    const { server, rotations } = this.#rig;
    const rootFile = join(directory, "reissue-roots.pem");
    await writeFile(rootFile, await rotations.roots());
    const options = {
      address: server.address,
      serverName: "localhost",
      rootFile,
      requestsFile: this.#requestsFile,
      mode: "steady",
      connections: newcomersInFlight,
      inFlight: newcomersInFlight,
      count: this.#count,
      skip: this.#skip,
      everyMs,
      fresh: true,
    } as const;
    this.#skip += this.#count;
    const { failed, firstError, samples } = await runLoad(programs.load, options, signal);
    if (failed.size > 0) throw new Error(`newcomers were refused: ${firstError}`);
    const latencies = samples.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
    return percentile(latencies, 0.99);
  }
}
