/** A bundle that changes, in all namespaces: a root is prepared, and given up again. The clock runs from before the order. */

import { changeRoot, type RootCommand } from "../../src/edge/rpc/root-client.ts";
import { readUsage } from "../cpu.ts";
import type { Fixture } from "../fixture.ts";
import type { Measure } from "../report.ts";
import type { BenchServer } from "../server.ts";
import { inFlight } from "./in-flight.ts";
import type { KubeRig } from "./kube-rig.ts";
import { SeenMaps } from "./seen-maps.ts";

const secondsMax = 20;

interface Round {
  readonly seconds: number;
  readonly apiMicros: number;
  readonly serverMicros: number;
}

/** @param server one that runs already: its namespaces come to be while it watches */
export async function measureBundleMaps(
  { size, progress }: Fixture,
  rig: KubeRig,
  server: BenchServer,
): Promise<readonly Measure[]> {
  const { namespaces } = size;
  progress(`${namespaces} namespaces`);
  using before = await SeenMaps.open(rig.cluster);
  const missing = Math.max(0, namespaces - before.namespaces);
  await inFlight(missing, () => rig.cluster.namespace("many"));
  using maps = await SeenMaps.open(rig.cluster);
  progress("their first ConfigMaps");
  await maps.all(1);
  const rounds: Round[] = [];
  for (const [kind, roots] of [
    ["prepare", 2],
    ["abort", 1],
  ] as const) {
    progress(`${maps.namespaces} ConfigMaps after root ${kind}`);
    rounds.push(await roundOf(rig, server, maps, { kind, roots }));
  }
  return measuresOf(`${namespaces.toLocaleString("en")} namespaces`, rounds);
}

interface Change {
  readonly kind: "prepare" | "abort";
  /** In the bundle, after it. */
  readonly roots: number;
}

async function roundOf(
  rig: KubeRig,
  { admin, pid }: BenchServer,
  maps: SeenMaps,
  { kind, roots }: Change,
): Promise<Round> {
  const command: RootCommand = kind === "prepare" ? { kind, source: {} } : { kind };
  const [startMs, apiBefore, before] = [performance.now(), rig.apiCpuMicros, await readUsage(pid)];
  const { result } = await changeRoot(admin, { command, operator: "bench", dryRun: false });
  if (result.case !== "done") throw new Error(`${kind} was refused: ${result.value?.message}`);
  const seconds = ((await maps.all(roots)) - startMs) / 1_000;
  const after = await readUsage(pid);
  return {
    seconds,
    apiMicros: (rig.apiCpuMicros - apiBefore) / maps.namespaces,
    serverMicros: (after.cpuMicros - before.cpuMicros) / maps.namespaces,
  };
}

function measuresOf(name: string, rounds: readonly Round[]): Measure[] {
  return [
    {
      name: `${name}: ConfigMaps have a new bundle`,
      kind: "duration",
      runs: rounds.map(({ seconds }) => seconds),
      bound: { kind: "target", value: secondsMax },
    },
    {
      name: `${name}: API server CPU of a ConfigMap`,
      kind: "cpu",
      runs: rounds.map(({ apiMicros }) => apiMicros),
    },
    {
      name: `${name}: server CPU of a ConfigMap`,
      kind: "cpu",
      runs: rounds.map(({ serverMicros }) => serverMicros),
    },
  ];
}
