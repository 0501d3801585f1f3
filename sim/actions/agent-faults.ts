/** What happens to agents, to their disks, clocks and networks. */

import type { Agent } from "../world/agent.ts";
import type { World } from "../world/world.ts";
import { chosen, type Action } from "./action.ts";

export const agentFaults: readonly Action[] = [
  { name: "agent-cut", weight: 4, apply: (world) => some(world, cut) },
  { name: "stream-break", weight: 3, apply: (world) => some(world, breakStream) },
  { name: "call-lose", weight: 5, apply: (world) => some(world, loseCall) },
  { name: "call-hold", weight: 6, apply: (world) => some(world, holdReply) },
  { name: "agent-kill", weight: 4, apply: (world) => some(world, kill) },
  { name: "agent-freeze", weight: 4, apply: (world) => some(world, freeze) },
  { name: "agent-reborn", weight: 2, apply: (world) => some(world, beReborn) },
  { name: "agent-goodbye", weight: 2, apply: (world) => some(world, sayGoodbye) },
  { name: "disk-full", weight: 2, apply: (world) => some(world, fillDisk) },
  { name: "clock-move", weight: 2, apply: (world) => some(world, moveClock) },
  { name: "stale-server", weight: 3, apply: (world) => some(world, meetStaleServer) },
  { name: "heal-agent", weight: 10, apply: (world) => some(world, heal) },
  { name: "heal-all", weight: 10, apply: healAll },
];

function some(world: World, change: (agent: Agent) => boolean): boolean {
  const agent = chosen(world.agents, world);
  if (agent === undefined) return false;
  let applied = false;
  world.happen(() => (applied = change(agent)));
  return applied;
}

function cut(agent: Agent): boolean {
  if (agent.isCut) return false;
  agent.world.struck("agent-cut", agent.id);
  agent.isCut = true;
  return true;
}

function breakStream(agent: Agent): boolean {
  if (!agent.link.isOpen) return false;
  agent.world.struck("stream-broken", agent.id);
  agent.link.break();
  return true;
}

function loseCall(agent: Agent): boolean {
  const waiting = agent.workloads.filter(({ client }) => client.isWaiting);
  const workload = chosen(waiting, agent.world);
  if (workload === undefined) return false;
  agent.world.struck("call-lost", agent.id);
  return workload.client.drop();
}

function holdReply(agent: Agent): boolean {
  const workload = chosen(agent.workloads, agent.world);
  if (workload === undefined || workload.client.isHeld) return false;
  agent.world.struck("call-held", workload.identity);
  workload.client.isHeld = true;
  return true;
}

function kill(agent: Agent): boolean {
  if (!agent.isAlive) return false;
  agent.world.struck("agent-killed", agent.id);
  agent.kill();
  return true;
}

function freeze(agent: Agent): boolean {
  if (!agent.isAlive || agent.isFrozen) return false;
  agent.world.struck("agent-frozen", agent.id);
  agent.isFrozen = true;
  return true;
}

/** Its pod is moved: another one with the same identity begins with nothing, and the old one's certificate lives on in the log. */
function beReborn(agent: Agent): boolean {
  agent.world.struck("agent-reborn", agent.id);
  end(agent);
  agent.reborn();
  return true;
}

/** `--goodbye`: its keys are destroyed first, and its workload ends with it. */
function sayGoodbye(agent: Agent): boolean {
  if (!agent.isServing || !agent.link.isOpen) return false;
  agent.world.struck("agent-goodbye", agent.id);
  end(agent, true);
  return true;
}

function end(agent: Agent, isPolite = false): void {
  for (const { envoys } of agent.workloads) for (const envoy of envoys) envoy.kill();
  agent.disk.wipe();
  agent.memory.wipe();
  if (isPolite) agent.link.goodbye();
  agent.stop(isPolite);
}

function fillDisk(agent: Agent): boolean {
  agent.world.struck("disk-full", agent.id);
  agent.disk.failures = 1 + agent.world.random.below(2);
  return true;
}

/** A copy of the server that is behind, or a restored one: it has the mesh's keys, and an older bundle. */
function meetStaleServer(agent: Agent): boolean {
  const { server } = agent.world;
  const older = server.published.filter(
    ({ sequence }) => sequence < (agent.bundle?.sequence ?? 0n),
  );
  const bundle = chosen(older, agent.world);
  if (bundle === undefined || !agent.isReachable) return false;
  agent.world.struck("stale-server", agent.id);
  agent.takeBundle(bundle);
  return true;
}

function moveClock(agent: Agent): boolean {
  agent.world.struck("clock-moved", agent.id);
  agent.skewMs = agent.world.random.below(240_000) - 120_000;
  agent.isClockKnown = false;
  if (agent.isServing) agent.tick();
  return true;
}

function healAll(world: World): boolean {
  world.happen(() => {
    for (const agent of world.agents) heal(agent);
  });
  world.flow(60);
  return true;
}

function heal(agent: Agent): boolean {
  agent.isCut = false;
  if (agent.isFrozen) {
    agent.isFrozen = false;
    agent.tick();
  }
  if (!agent.isAlive) agent.start();
  for (const { client } of agent.workloads) client.isHeld = false;
  for (const { envoys } of agent.workloads) for (const envoy of envoys) envoy.isFrozen = false;
  if (!agent.isValid) agent.readFile();
  return true;
}
