/** What a certificate costs: server CPU, rate and latency, at loads that are not in logged.ts; and what it leaves behind. */

import { readUsage } from "./cpu.ts";
import { drive, driveCases, type LoadCase } from "./drive.ts";
import type { LoadFixture } from "./fixture.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

const freshTokens: LoadCase = {
  name: "fresh token, 1 in flight",
  mode: "steady",
  inFlight: 1,
  fresh: true,
  share: 0.25,
};

export const issuanceCases: readonly LoadCase[] = [
  freshTokens,
  { name: "same token, 16 in flight", mode: "steady", inFlight: 16, fresh: false, share: 1 },
  {
    name: "a new TLS connection for each",
    mode: "reconnect",
    inFlight: 16,
    fresh: true,
    // A handshake costs as much as three certificates.
    share: 0.2,
    bounds: {
      cpu: { peer: { name: "istiod", value: 1_066 }, bound: { kind: "target", value: 1_066 } },
      rate: { peer: { name: "istiod", value: 771 } },
    },
  },
];

export async function benchIssuance(fixture: LoadFixture): Promise<Measure[]> {
  await using server = await BenchServer.start(fixture);
  return await driveCases(fixture, { server }, issuanceCases);
}

/** What the same requests cost a server that only answers. */
export async function benchFloor(fixture: LoadFixture): Promise<Measure[]> {
  const { size, dataDir, progress } = fixture;
  progress("the floor");
  await using server = await BenchServer.startFloor(dataDir);
  const runs: number[] = [];
  const load = { ...freshTokens, inFlight: 16 };
  await drive(fixture, { server }, load, size.count, 0);
  for (let run = 0; run < size.runs; run++) {
    runs.push((await drive(fixture, { server }, load, size.count, 0)).cpuMicros);
  }
  return [{ name: "a fixed answer, 16 in flight: server CPU", kind: "cpu", runs }];
}

export async function benchMemory(fixture: LoadFixture): Promise<Measure[]> {
  const { certificates } = fixture.size;
  fixture.progress(`memory: ${certificates} certificates`);
  await using server = await BenchServer.start(fixture);
  await drive(fixture, { server }, { ...freshTokens, inFlight: 16 }, certificates, 0);
  const { rssMiB } = await readUsage(server.pid);
  return [
    {
      name: `RSS after ${certificates.toLocaleString("en")} certificates`,
      kind: "memory",
      runs: [rssMiB],
      peer: { name: "istiod", value: 130 },
      bound: { kind: "target", value: 170 },
    },
  ];
}
