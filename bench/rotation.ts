/** What a rotation of roots costs and how long its steps take, in a mesh that is large. */

import type { Fixture } from "./fixture.ts";
import { benchGate } from "./gate.ts";
import { benchNodeAgent } from "./node-agent.ts";
import { benchRealEnvoys } from "./real-envoys.ts";
import { benchReissue } from "./reissue.ts";
import type { Measure } from "./report.ts";
import { benchReportsFloor, benchStreams } from "./streams.ts";
import { StreamsRig } from "./streams-rig.ts";

export async function benchRotation(fixture: Fixture): Promise<Measure[]> {
  return [
    ...(await benchGate(fixture)),
    ...(await benchRealEnvoys(fixture)),
    ...(await benchNodeAgent(fixture, 1_000)),
    ...(await benchSome(fixture)),
    ...(await benchMany(fixture)),
  ];
}

async function benchSome(fixture: Fixture): Promise<Measure[]> {
  const each = { agents: 1_000, bundleMs: 1_000, reportsEach: 30 } as const;
  const measures: Measure[] = [];
  {
    await using rig = await StreamsRig.open(fixture, each.agents);
    measures.push(...(await benchStreams(fixture, rig, each)));
  }
  await using floor = await StreamsRig.open(fixture, each.agents, "floor");
  return [...measures, ...(await benchReportsFloor(fixture, floor, each))];
}

/** As many as one server takes. */
async function benchMany(fixture: Fixture): Promise<Measure[]> {
  const { agents } = fixture.size;
  await using rig = await StreamsRig.open(fixture, agents);
  return [
    ...(await benchStreams(fixture, rig, { agents, reportsEach: 0 })),
    ...(await benchReissue(fixture, rig, agents)),
  ];
}
