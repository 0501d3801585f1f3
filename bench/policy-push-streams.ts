/**
 * A change of mode among a thousand agents, each with a stream and one proxy that acknowledges at once: from the moment when it was
 * durable until the server has the acknowledgement of each.
 */

import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readUsage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import { meshMode, pushedManifests } from "./policy-push-mesh.ts";
import { Percentiles, PolicyOrders } from "./policy-push-orders.ts";
import type { Measure } from "./report.ts";
import { StreamsRig } from "./streams-rig.ts";

const agents = 1_000;
const rounds = 5;
const settleMs = 2_000;
const inForceMs = 300;
/** Nobody is sent there. */
const app = "127.0.0.1:9";

export async function benchPushedStreams(fixture: Fixture): Promise<readonly Measure[]> {
  const { signal, progress } = fixture;
  const name = `${agents.toLocaleString("en")} agents' streams with a proxy each`;
  await using rig = await StreamsRig.open(fixture, agents, "policy");
  const orders = new PolicyOrders(rig.server, dirname(rig.dataDir), signal);
  // As the agents name their proxies.
  const workloads = Array.from({ length: agents }, (_, number) => {
    return { number, nodeId: `agent-${number}-envoy` };
  });
  progress(`${name}: configuration`);
  await orders.acknowledged(
    "permissive",
    await orders.apply(pushedManifests(workloads, app)),
    agents,
  );
  const times = new Percentiles();
  const cpu: number[] = [];
  // The first round is for V8.
  for (let round = 0; round <= rounds; round++) {
    for (const mode of ["strict", "permissive"] as const) {
      await sleep(settleMs, undefined, { signal });
      progress(`${name}: ${mode} ${round} of ${rounds}`);
      const before = await readUsage(rig.server.pid);
      const acceptedAtMs = await orders.apply([meshMode(mode)]);
      const took = await orders.acknowledged(mode, acceptedAtMs, agents);
      const after = await readUsage(rig.server.pid);
      if (round === 0) continue;
      times.add(took);
      cpu.push((after.cpuMicros - before.cpuMicros) / agents);
    }
  }
  const bound = { kind: "target", value: inForceMs } as const;
  return [
    { name: `${name}: another mode in force, p99`, kind: "latency", runs: times.p99, bound },
    { name: `${name}: another mode in force, p50`, kind: "latency", runs: times.p50 },
    { name: `${name}: another mode, server CPU for each`, kind: "cpu", runs: cpu },
  ];
}
