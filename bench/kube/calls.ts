/** What a certificate costs in a cluster: to the server, and to the API server that it asks, or does not ask. */

import { drive, warmUpCount, type LoadCase, type Run } from "../drive.ts";
import type { LoadFixture } from "../fixture.ts";
import type { Measure } from "../report.ts";
import type { BenchServer } from "../server.ts";
import { REFERENCE_UNIT_MICROS } from "../unit.ts";
import type { KubeRig } from "./kube-rig.ts";

export type TokenCheck = "watched" | "review-always";

/**
 * istiod without its client's limit, its own CPU and the API server's, on a machine where a TokenReview cost the API server what it costs one
 * of this unit (kube-apiserver 1.37: 620 us).
 */
const istiodMicros = 1_230;
const istiodUnitMicros = 57;
const toReference = REFERENCE_UNIT_MICROS / istiodUnitMicros;
/** istiod as it ships: a limit of its client, the same on each machine. */
const istiodPerSecond = 79;

interface CheckRules {
  /** Of the size's count; a review is slow. */
  readonly share: number;
  readonly cpuShareMax: number;
  readonly perSecondMin?: number;
  readonly istiodsMin?: number;
}

const rules: Readonly<Record<TokenCheck, CheckRules>> = {
  watched: { share: 1, cpuShareMax: 0.35, istiodsMin: 35 },
  "review-always": { share: 0.5, cpuShareMax: 1.15, perSecondMin: 800 },
};

/** How many records `measureCalls` takes at most. */
export function callsNeeded(count: number, runs: number): number {
  return warmUpCount + count * runs;
}

interface KubeRun {
  readonly run: Run;
  /** Of the API server and etcd, for each certificate. */
  readonly apiMicros: number;
}

export async function measureCalls(
  fixture: LoadFixture,
  rig: KubeRig,
  server: BenchServer,
  check: TokenCheck,
): Promise<readonly Measure[]> {
  const { size, progress } = fixture;
  const { share } = rules[check];
  const name = `${check}, 64 in flight`;
  const each: LoadCase = { name, mode: "steady", inFlight: 64, fresh: true, share };
  const driveOnce = async (count: number, skip: number): Promise<KubeRun> => {
    const before = rig.apiCpuMicros;
    const run = await drive(fixture, { server }, each, count, skip);
    return { run, apiMicros: (rig.apiCpuMicros - before) / count };
  };
  progress(`${name}: warming up`);
  const warmUp = Math.ceil(warmUpCount * share);
  await driveOnce(warmUp, 0);
  const count = Math.ceil(size.count * share);
  const runs: KubeRun[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${name}: run ${run + 1} of ${size.runs}`);
    runs.push(await driveOnce(count, warmUp + run * count));
  }
  return measuresOf(name, rules[check], runs);
}

function measuresOf(name: string, rule: CheckRules, runs: readonly KubeRun[]): Measure[] {
  const of = (value: (run: KubeRun) => number): number[] => runs.map(value);
  const { cpuShareMax, perSecondMin, istiodsMin } = rule;
  const perSecond = of(({ run }) => run.perSecond);
  const measures: Measure[] = [
    {
      name: `${name}: server and API server CPU`,
      kind: "cpu",
      runs: of(({ run, apiMicros }) => run.cpuMicros + apiMicros),
      peer: { name: "istiod", value: istiodMicros * toReference },
      bound: { kind: "target", value: cpuShareMax * istiodMicros * toReference },
    },
    { name: `${name}: server CPU`, kind: "cpu", runs: of(({ run }) => run.cpuMicros) },
    { name: `${name}: API server CPU`, kind: "cpu", runs: of(({ apiMicros }) => apiMicros) },
    {
      name: `${name}: certificates`,
      kind: "rate",
      runs: perSecond,
      ...(perSecondMin !== undefined && {
        bound: { kind: "target", value: perSecondMin / toReference },
      }),
    },
    { name: `${name}: p99`, kind: "latency", runs: of(({ run }) => run.outcome.p99Ms) },
    { name: `${name}: p50`, kind: "latency", runs: of(({ run }) => run.outcome.p50Ms) },
  ];
  if (istiodsMin !== undefined) {
    measures.push({
      name: `${name}: certificates, of istiod's 79 a second`,
      kind: "share",
      runs: perSecond.map((each) => each / istiodPerSecond),
      bound: { kind: "target", value: istiodsMin },
    });
  }
  return measures;
}
