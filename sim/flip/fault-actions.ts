/** What goes wrong. */

import { callOnce } from "./calls.ts";
import { refOf } from "./mesh-objects.ts";
import { chosen, type WorldAction } from "../run/world-schedule.ts";
import { flipWrites } from "./disk.ts";
import type { Pod } from "./pod.ts";
import type { FlipWorld } from "./world.ts";

type Fault = WorldAction<FlipWorld>;

function ofPod(name: string, weight: number, strike: (world: FlipWorld, pod: Pod) => void): Fault {
  return {
    name,
    weight,
    apply(world) {
      const pod = chosen(world, world.there);
      if (pod === undefined) return;
      world.say(`${name}: ${pod.name}`);
      strike(world, pod);
    },
  };
}

/** Now and then. */
function callAll(world: FlipWorld, pod: Pod): void {
  if (pod.app !== "api" || world.random.below(2) === 0) return;
  for (const caller of world.callers) callOnce(world, caller, pod);
}

export const faultActions: readonly Fault[] = [
  { name: "kill the server", weight: 2, apply: (world) => world.killServer() },
  {
    name: "kill the server at a write",
    weight: 5,
    apply(world) {
      const write = chosen(world, flipWrites) ?? "flip";
      world.disk.plan.arm(write, world.random.below(2) === 0 ? "before" : "after");
    },
  },
  {
    name: "start the server",
    weight: 8,
    apply(world) {
      if (world.server === undefined) world.startServer();
    },
  },
  {
    name: "the evidence cannot be asked, or can again",
    weight: 3,
    apply({ disk, nowMs }) {
      if (disk.blindSinceMs === undefined) disk.blindSinceMs = nowMs;
      else disk.see(nowMs);
    },
  },
  ofPod("cut", 4, (world, pod) => world.links.cut(pod)),
  ofPod("stall", 3, (world, { talk: { link } }) => {
    if (link !== undefined) link.stalledUntilMs = world.nowMs + world.random.below(60_000);
  }),
  ofPod("kill an agent", 3, (world, pod) => {
    if (pod.agent.isAlive) world.killAgent(pod, world.random.below(3) === 0);
  }),
  {
    name: "start agents",
    weight: 6,
    apply(world) {
      for (const pod of world.there) {
        if (!pod.agent.isAlive && world.random.below(4) > 0)
          world.startAgent(pod, world.random.below(2) === 0);
      }
    },
  },
  ofPod("an agent begins anew", 2, (world, pod) => {
    if (pod.agent.isAlive) world.killAgent(pod);
    world.run(world.random.below(6_000));
    if (!pod.agent.isAlive && !pod.isGone) world.startAgent(pod, false);
  }),
  ofPod("kill an Envoy", 2, (_, pod) => pod.restartEnvoy(false)),
  ofPod("end an Envoy", 2, (_, pod) => pod.restartEnvoy(true)),
  ofPod("freeze an Envoy", 2, (_, { envoy }) => {
    envoy.isFrozen = !envoy.isFrozen;
  }),
  ofPod("refuse", 3, (_, { envoy }) => {
    envoy.refusesNext = true;
  }),
  ofPod("lose what is logged", 4, (_, pod) => {
    pod.isDeaf = !pod.isDeaf;
  }),
  ofPod("the log's stream breaks", 3, (world, { connections }) => {
    connections.closeLog();
    world.timeline.after(world.random.below(4_000), () => connections.openLog());
  }),
  ofPod("the counters' stream breaks", 3, (world, { connections }) => {
    connections.closeCounters();
    world.timeline.after(500 + world.random.below(8_000), () => connections.openCounters());
  }),
  ofPod("a certificate goes bad", 2, (_, pod) => {
    pod.isBroken = !pod.isBroken;
  }),
  ofPod("a host is down for a while", 2, (world, pod) => {
    if (pod.agent.isAlive) world.killAgent(pod);
    callAll(world, pod);
    world.run(world.random.below(12_000));
    pod.restartEnvoy(false);
    world.run(world.random.below(12_000));
    if (!pod.agent.isAlive && !pod.isGone) world.startAgent(pod, false);
  }),
  ofPod("end a pod", 2, (world, pod) => {
    if (world.there.filter(({ app }) => app === pod.app).length < 2) return;
    callAll(world, pod);
    world.run(world.random.below(12_000));
    world.endPod(pod);
    if (world.random.below(2) === 0) world.apply(refOf("WorkloadEntry", pod.name), undefined);
  }),
];
