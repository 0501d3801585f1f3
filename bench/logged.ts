/**
 * What the transparency log costs: one certificate a call, with intent and result durable, and by the same server without a
 * log, in turns, so that a busy moment of the machine meets both.
 */

import { cp } from "node:fs/promises";
import { join } from "node:path";
import { countOf, drive, measuresOf, warmUpCount, type LoadCase, type Run } from "./drive.ts";
import type { LoadFixture } from "./fixture.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

const common = { mode: "steady", fresh: true, share: 1 } as const;

export const loggedCases: readonly LoadCase[] = [
  {
    ...common,
    name: "fresh token, 16 in flight",
    inFlight: 16,
    bounds: {
      cpu: { peer: { name: "istiod", value: 424 }, bound: { kind: "target", value: 430 } },
      rate: { peer: { name: "istiod", value: 3_671 } },
      p99: { peer: { name: "istiod", value: 11 } },
    },
  },
  {
    ...common,
    name: "fresh token, 64 in flight",
    inFlight: 64,
    bounds: { cpu: { bound: { kind: "target", value: 360 } } },
  },
];

interface Pair {
  readonly logged: Run;
  readonly unlogged: Run;
}

export async function benchLogged(fixture: LoadFixture): Promise<Measure[]> {
  const { dataDir, directory, size, progress } = fixture;
  const unloggedDir = join(directory, "unlogged", "data");
  await cp(dataDir, unloggedDir, { recursive: true });
  await using logged = await BenchServer.start(fixture);
  await using unlogged = await BenchServer.start({
    ...fixture,
    dataDir: unloggedDir,
    variant: "unlogged",
  });
  let skip = 0;
  const drivePair = async (each: LoadCase, count: number): Promise<Pair> => {
    const pair = {
      logged: await drive(fixture, { server: logged }, each, count, skip),
      unlogged: await drive(fixture, { server: unlogged }, each, count, skip),
    };
    skip += count;
    return pair;
  };
  progress("warming up, with a log and without");
  for (const each of loggedCases.slice(0, 1)) await drivePair(each, warmUpCount);
  const measures: Measure[] = [];
  for (const each of loggedCases) {
    const pairs: Pair[] = [];
    for (let run = 0; run < size.runs; run++) {
      progress(`${each.name}, with a log and without: run ${run + 1} of ${size.runs}`);
      pairs.push(await drivePair(each, countOf(each, size.count)));
    }
    measures.push(...pairMeasures(each, pairs));
  }
  return measures;
}

function pairMeasures(each: LoadCase, pairs: readonly Pair[]): Measure[] {
  const logged = pairs.map((pair) => pair.logged);
  const unlogged = pairs.map((pair) => pair.unlogged);
  const { bounds: _, ...bare } = each;
  const share: Measure = {
    name: `${each.name}: throughput with the log, of that without`,
    kind: "share",
    runs: pairs.map((pair) => pair.logged.perSecond / pair.unlogged.perSecond),
    ...(each.inFlight === 64 && {
      peer: { name: "OpenBao", value: 0.22 },
      bound: { kind: "target", value: 0.8 },
    }),
  };
  return [
    ...measuresOf(each, logged),
    ...measuresOf({ ...bare, name: `no log, ${each.name}` }, unlogged),
    share,
  ];
}
