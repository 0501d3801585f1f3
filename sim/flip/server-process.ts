/** A process of the server in a simulated mesh: what it does later it does only while it is the one that is there. */

import { Server } from "./server.ts";
import type { FlipWorld } from "./world.ts";

export function newProcess(world: FlipWorld): Server {
  const { disk, timeline, random, watch } = world;
  const server: Server = new Server({
    disk,
    nowMs: () => timeline.nowMs,
    later: (ms, work) =>
      timeline.after(ms, () => {
        if (world.server === server) world.inServer(work);
      }),
    delayMs: () => random.below(200),
    hasCertificate: (name) => world.there.some((pod) => pod.name === name),
    onDurable: (flip, before) => watch.durable(flip, before, server),
    onDecided: () => watch.decided(server),
    onPush: (name, policy) => watch.pushed(name, policy),
    collect: (name, link, everyMs) => {
      const pod = world.pods.find((each) => each.name === name);
      link.send("down", () => pod?.talk.reports.begin(link, everyMs));
    },
    sendPolicy: (name, link, policy) => {
      const pod = world.pods.find((each) => each.name === name);
      link.send("down", () => pod?.receivePolicy(policy));
    },
  });
  return server;
}
