/** What a certificate costs when a node agent asks for several at a time. */

import { driveCases, type LoadCase } from "./drive.ts";
import type { LoadFixture } from "./fixture.ts";
import { fetchNodeIdentity, nodeIdentity } from "./node-identity.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

/** A node agent has at most 4 on their way: two nodes. */
const common = { mode: "steady", inFlight: 8, fresh: true } as const;

export const batchCases: readonly LoadCase[] = [
  {
    ...common,
    name: "batch of 50, 8 in flight",
    batch: 50,
    share: 1.5,
    bounds: {
      cpu: { peer: { name: "SPIRE", value: 313 }, bound: { kind: "target", value: 275 } },
      rate: { peer: { name: "SPIRE", value: 6_038 }, bound: { kind: "target", value: 6_200 } },
    },
  },
  { ...common, name: "batch of 10, 8 in flight", batch: 10, share: 0.5 },
  {
    ...common,
    name: "batch of 1, 8 in flight",
    batch: 1,
    share: 0.25,
    bounds: {
      cpu: { peer: { name: "SPIRE", value: 680 } },
      rate: { peer: { name: "SPIRE", value: 2_472 } },
    },
  },
];

export async function benchBatches(fixture: LoadFixture): Promise<Measure[]> {
  const flags = ["--node-agent", nodeIdentity];
  await using server = await BenchServer.start({ ...fixture, flags });
  const identity = await fetchNodeIdentity(fixture, server.address);
  return await driveCases(fixture, { server, identity }, batchCases);
}
