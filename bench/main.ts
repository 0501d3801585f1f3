/**
 * `npm run bench`, and `-- --quick` for a first look. Options: --json, --seed N, --write-baseline. Exits 1 when a target is
 * missed, or when a figure is worse than the committed baseline beyond noise.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DEV_ISSUER } from "../src/edge/authn/dev-issuer.ts";
import { compareWithBaseline, readBaseline, writeBaseline } from "./baseline.ts";
import { writeCorpus } from "./corpus.ts";
import { readUsage } from "./cpu.ts";
import { benchFloor, benchIssuance, recordsNeeded } from "./issuance.ts";
import { buildLoad, runLoad } from "./load.ts";
import { describeCommit, describeMachine } from "./machine.ts";
import { formatReport, hasMissed, makeReport, type Measure } from "./report.ts";
import { BenchServer, readDevIssuer } from "./server.ts";
import { benchStart } from "./start.ts";
import { measureUnit } from "./unit.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "write-baseline": { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});

const size = options.quick
  ? { count: 4_000, runs: 1, starts: 2, certificates: 10_000 }
  : { count: 8_000, runs: 3, starts: 5, certificates: 50_000 };

const abort = new AbortController();
process.once("SIGINT", () => abort.abort());
const progress = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

const directory = await mkdtemp(join(tmpdir(), "portcullis-bench-"));
try {
  process.exitCode = await main(directory, abort.signal);
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function main(directory: string, signal: AbortSignal): Promise<number> {
  progress("building the load generator");
  const load = await buildLoad(signal);
  const unitBefore = await measureUnit(signal);
  const measures = [
    ...(await benchLoad(directory, load, signal)),
    ...(await benchStarts(directory, signal)),
  ];
  const unitMicros = (unitBefore + (await measureUnit(signal))) / 2;
  const head = {
    machine: describeMachine(),
    commit: await describeCommit(),
    seed: Number(options.seed),
    unitMicros,
  };
  const report = makeReport(head, measures);
  const regressions = compareWithBaseline(report, await readBaseline());
  if (options["write-baseline"]) await writeBaseline(report);
  process.stdout.write(
    options.json ? `${JSON.stringify({ ...report, regressions })}\n` : `${formatReport(report)}\n`,
  );
  for (const text of regressions) process.stderr.write(`REGRESSION ${text}\n`);
  return hasMissed(report) || regressions.length > 0 ? 1 : 0;
}

function benchStarts(directory: string, signal: AbortSignal): Promise<Measure[]> {
  progress("starts");
  return benchStart(directory, size.starts, signal);
}

async function benchLoad(directory: string, load: string, signal: AbortSignal): Promise<Measure[]> {
  const dataDir = join(directory, "data");
  const requestsFile = join(directory, "requests");
  const oneRequestFile = join(directory, "one-request");
  const rootFile = join(dataDir, "root-cert.pem");
  // The first start makes root and token issuer; the one that is measured finds them.
  await using first = await BenchServer.start(dataDir, signal);
  const tokens = {
    ...(await readDevIssuer(dataDir)),
    issuer: DEV_ISSUER,
    audience: "istio-ca",
    nowMs: Date.now(),
    ttlSeconds: 36_000,
  };
  await first[Symbol.asyncDispose]();
  const corpus = { seed: Number(options.seed), trustDomain: "cluster.local", tokens };
  const records = Math.max(recordsNeeded(size.count, size.runs), size.certificates);
  progress(`minting ${records} tokens`);
  await writeCorpus({ ...corpus, file: requestsFile, records, workloads: 500 }, signal);
  await writeCorpus({ ...corpus, file: oneRequestFile, records: 1, workloads: 1 }, signal);
  const files = { load, rootFile, requestsFile, oneRequestFile };
  const memory = await benchMemory(dataDir, files, signal);
  const sizes = { count: size.count, runs: size.runs, signal };
  progress("the floor");
  const floor = await withServer(BenchServer.startFloor(dataDir), (server) =>
    benchFloor({ ...files, ...sizes, server }),
  );
  const issuance = await withServer(BenchServer.start(dataDir, signal), (server) =>
    benchIssuance({ ...files, ...sizes, server }, progress),
  );
  return [...issuance, floor, memory];
}

async function withServer<T>(
  starting: Promise<BenchServer>,
  work: (server: BenchServer) => Promise<T>,
): Promise<T> {
  await using server = await starting;
  return await work(server);
}

async function benchMemory(
  dataDir: string,
  files: { readonly load: string; readonly rootFile: string; readonly requestsFile: string },
  signal: AbortSignal,
): Promise<Measure> {
  progress(`memory: ${size.certificates} certificates`);
  await using server = await BenchServer.start(dataDir, signal);
  await runLoad(
    files.load,
    {
      ...files,
      address: server.address,
      serverName: "localhost",
      mode: "steady",
      connections: 4,
      inFlight: 16,
      count: size.certificates,
      fresh: true,
    },
    signal,
  );
  const { rssMiB } = await readUsage(server.pid);
  return {
    name: `RSS after ${size.certificates.toLocaleString("en")} certificates`,
    kind: "memory",
    runs: [rssMiB],
    peer: { name: "istiod", value: 130 },
    bound: { kind: "target", value: 170 },
  };
}
