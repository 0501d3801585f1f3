/**
 * What the transparency log is by its length: bytes on disk for a certificate, entries that an audit reads in a second, the
 * time of a proof, and the memory of a server that has so much of it. It is filled through its own writer, without signing.
 */

import { randomInt } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseVerifierKey } from "../src/core/log/note-key.ts";
import { auditLog } from "../src/edge/log/log-audit.ts";
import { LogReader } from "../src/edge/log/log-reader.ts";
import { readUsage } from "./cpu.ts";
import { drive, warmUpCount } from "./drive.ts";
import type { LoadFixture } from "./fixture.ts";
import { fillLog } from "./log-fill.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

const bytesAt = 20_000;
const auditedAt = 50_000;
const memoryAt: readonly number[] = [0, 50_000, 200_000];
/** What two runs of one server differ by. */
const memoryNoiseMiB = 25;
const proofs = 500;

export async function benchLog(fixture: LoadFixture): Promise<Measure[]> {
  const { size, directory, progress } = fixture;
  const dataDir = join(directory, "log", "data");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const own = { ...fixture, dataDir, rootFile: join(dataDir, "root-cert.pem") };
  const measures: Measure[] = [];
  const steps = new Set([...memoryAt, bytesAt, auditedAt, size.logged]);
  let emptyMiB = 0;
  for (const certificates of [...steps].toSorted((a, b) => a - b)) {
    if (certificates > size.logged) break;
    progress(`a log of ${certificates.toLocaleString("en")} certificates`);
    // The first start makes its directory.
    if (certificates > 0) await fillLog(dataDir, certificates);
    if (certificates === bytesAt) measures.push(await bytesOf(dataDir));
    if (certificates === auditedAt) measures.push(auditOf(dataDir, size.runs));
    if (memoryAt.includes(certificates)) {
      const rssMiB = await memoryOf(own);
      if (certificates === 0) emptyMiB = rssMiB;
      const bound = { kind: "target", value: emptyMiB + memoryNoiseMiB } as const;
      const name = `RSS with ${certificates.toLocaleString("en")} certificates in the log`;
      measures.push({ name, kind: "memory", runs: [rssMiB], ...(certificates > 0 && { bound }) });
    }
  }
  return [...measures, ...proofsOf(dataDir)];
}

/** After the same load each time: what a server has just started with says little. */
async function memoryOf(fixture: LoadFixture): Promise<number> {
  await using server = await BenchServer.start(fixture);
  const load = { name: "memory", mode: "steady", inFlight: 16, fresh: true, share: 1 } as const;
  await drive(fixture, { server }, load, warmUpCount, 0);
  return (await readUsage(server.pid)).rssMiB;
}

/** With all its indexes, when the server has ended. */
async function bytesOf(dataDir: string): Promise<Measure> {
  using reader = LogReader.open(dataDir);
  const { size } = await stat(join(dataDir, "log.db"));
  return {
    name: `log of ${bytesAt.toLocaleString("en")}: a certificate on disk`,
    kind: "size",
    runs: [size / (reader.head().size / 2)],
    bound: { kind: "target", value: 700 },
  };
}

function auditOf(dataDir: string, runs: number): Measure {
  using reader = LogReader.open(dataDir);
  const verifiers = [parseVerifierKey(reader.verifierKey())];
  const perSecond = Array.from({ length: runs }, () => {
    const startedMs = performance.now();
    const { fault, checkpoint } = auditLog(dataDir, verifiers);
    if (fault !== undefined) throw new Error(`the log is damaged: ${fault.message}`);
    return (checkpoint.size * 1_000) / (performance.now() - startedMs);
  });
  const bound = { kind: "target", value: 50_000 } as const;
  return { name: "audit verify: entries", kind: "rate", runs: perSecond, bound };
}

function proofsOf(dataDir: string): Measure[] {
  using reader = LogReader.open(dataDir);
  const { size } = reader.head();
  const timesMs = Array.from({ length: proofs }, () => {
    const startedMs = performance.now();
    reader.inclusion(randomInt(size), size);
    return performance.now() - startedMs;
  }).toSorted((a, b) => a - b);
  const name = `an inclusion proof of ${(Math.floor(size / 1e5) * 1e5).toLocaleString("en")} entries`;
  const at = (share: number): number[] => [timesMs[Math.ceil(share * proofs) - 1] ?? Number.NaN];
  const bound = { kind: "target", value: 5 } as const;
  return [
    { name: `${name}: p50`, kind: "latency", runs: at(0.5) },
    { name: `${name}: p99`, kind: "latency", runs: at(0.99), bound },
    // A pause of the machine is in it.
    { name: `${name}: max`, kind: "latency", runs: at(1) },
  ];
}
