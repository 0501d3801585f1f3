/** A server in a cluster, by a real API server whose own CPU counts: its calls, its start, its memory, and what it writes. */

import { join } from "node:path";
import type { Fixture, LoadFixture } from "./fixture.ts";
import { measureBundleMaps } from "./kube/bundle-maps.ts";
import { callsNeeded, measureCalls } from "./kube/calls.ts";
import { makeCallers, writeKubeRequests } from "./kube/callers.ts";
import { measureDeletedPods } from "./kube/deleted-pods.ts";
import { KubeRig } from "./kube/kube-rig.ts";
import { makePods, measureMemory, measureStarts } from "./kube/many-pods.ts";
import type { Measure } from "./report.ts";

const callers = 500;
const deleted = 50;

export async function benchKube(fixture: Fixture): Promise<readonly Measure[]> {
  await using rig = await KubeRig.open(fixture);
  const { load, leaving } = await prepare(fixture, rig);
  const measures: Measure[] = [];
  {
    await using server = await rig.start();
    measures.push(...(await measureCalls(load, rig, server, "watched")));
    measures.push(...(await measureDeletedPods(load, rig, server, leaving)));
  }
  {
    await using server = await rig.start(["--token-check", "review-always"]);
    measures.push(...(await measureCalls(load, rig, server, "review-always")));
  }
  const { pods } = fixture.size;
  const name = `${pods.toLocaleString("en")} pods`;
  fixture.progress(name);
  await makePods(rig.cluster, pods);
  measures.push(await measureStarts(load, rig, name));
  await using server = await rig.start();
  measures.push(...(await measureMemory(load, server, name)));
  measures.push(...(await measureBundleMaps(fixture, rig, server)));
  return measures;
}

async function prepare(fixture: Fixture, rig: KubeRig) {
  const { directory, size, signal, progress } = fixture;
  const { cluster } = rig;
  progress(`${callers} pods and their tokens`);
  const made = await makeCallers(cluster, callers + deleted);
  const records = callsNeeded(size.count, size.runs);
  progress(`${records} requests`);
  const requestsFile = join(directory, "kube-requests");
  await writeKubeRequests(
    { file: requestsFile, records, callers: made.slice(0, callers), cluster },
    signal,
  );
  const { dataDir, rootFile } = rig;
  const load: LoadFixture = {
    ...fixture,
    dataDir,
    rootFile,
    requestsFile,
    oneRequestFile: requestsFile,
  };
  return { load, leaving: made.slice(callers) };
}
