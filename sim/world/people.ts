/** Who lives in a world: some sidecars' agents with one or two Envoys each, one node agent, and clients of Istio's CA API alone. */

import { Agent } from "./agent.ts";
import { MeshLink } from "./mesh-link.ts";
import type { Worker } from "./pipe.ts";
import { Stock } from "./stock.ts";
import { Workload } from "./workload.ts";
import type { World } from "./world.ts";

interface People {
  readonly agents: readonly Agent[];
  readonly stocks: readonly Stock[];
  readonly workers: readonly Worker[];
}

const skewMaxMs = 120_000;

export function peopleOf(world: World): People {
  const { random, server } = world;
  const layout = (): number => random.below(4);
  const sidecars = 4 + random.below(2);
  const agents: Agent[] = [];
  for (let index = 0; index < sidecars; index++) {
    const agent = newAgent(world, `sidecar-${index}`, false);
    // The last one has nobody yet: what it holds is asked of itself alone.
    const isIdle = index === sidecars - 1 && random.below(2) === 0;
    const envoys = isIdle ? [] : random.below(3) === 0 ? [layout(), layout()] : [layout()];
    agent.workloads = [new Workload(agent, `spiffe://mesh/s${index}`, envoys, server)];
    agents.push(agent);
  }
  const node = newAgent(world, "node", true);
  node.workloads = [
    new Workload(node, "spiffe://mesh/node", [], server),
    new Workload(node, "spiffe://mesh/n0", [layout()], server),
    new Workload(node, "spiffe://mesh/n1", [layout()], server),
  ];
  agents.push(node);
  const stocks = [
    new Stock(world, "spiffe://mesh/istio0", server),
    new Stock(world, "spiffe://mesh/istio1", server),
  ];
  // They keep each gate closed for half of a certificate's life.
  stocks.length = random.below(3);
  return { agents, stocks, workers: workersOf(agents, stocks) };
}

function newAgent(world: World, id: string, isNode: boolean): Agent {
  const agent = new Agent(world, id, isNode);
  const { random } = world;
  if (random.below(3) === 0) agent.skewMs = random.below(2 * skewMaxMs) - skewMaxMs;
  agent.fileMask = 1;
  agent.link = new MeshLink(agent);
  return agent;
}

function workersOf(agents: readonly Agent[], stocks: readonly Stock[]): Worker[] {
  const ofAgents = agents.flatMap((agent): Worker[] => {
    const { link, writes, workloads } = agent;
    const streams = workloads.flatMap(({ envoys }) => envoys.flatMap((envoy) => envoy.streams));
    return [
      link.dial,
      link.up,
      link.down,
      link.report,
      writes,
      ...workloads.flatMap(({ client }) => [client.ask, client.request, client.reply]),
      ...streams.flatMap(({ dial, up, down }) => [dial, up, down]),
    ];
  });
  const ofStocks = stocks.flatMap(({ client }) => [client.ask, client.request, client.reply]);
  return [...ofAgents, ...ofStocks];
}
