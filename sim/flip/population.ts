/** Who comes into a simulated mesh: each with an entry of the configuration. */

import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import { callAtTimes, callOnce } from "./calls.ts";
import type { Caller } from "./caller.ts";
import { workloadObject } from "./mesh-objects.ts";
import { Pod } from "./pod.ts";
import type { PodNames } from "./pod-names.ts";
import type { FlipWorld } from "./world.ts";

const flushMs = 1_000;

export function addPod(world: FlipWorld, names: PodNames): void {
  const { timeline, random, plan, truth, watch } = world;
  const pod: Pod = new Pod(names, {
    timeline,
    random,
    protocolOf: (port) => plan.protocolOf(port),
    sayPolicy: (link, said) =>
      link.send("up", () => world.inServer((server) => server.policyReport(pod.name, link, said))),
    sayConnections: (link, report) =>
      link.send("up", () =>
        world.inServer((server) =>
          server.connectionReport(pod.name, link, report, (ack) =>
            link.send("down", () => {
              watch.acknowledged(pod.name, ack);
              pod.talk.reports.acknowledged(ack);
            }),
          ),
        ),
      ),
    onLost: () => truth.mayTellAgain(pod.name, world.nowMs),
    onChange: () => watch.changed(),
  });
  world.pods.push(pod);
  applyEntry(world, workloadObject({ ...names, serviceAccount: names.name }));
  const flush = (): void => {
    if (pod.isGone) return;
    pod.flush();
    timeline.after(flushMs, flush);
  };
  if (pod.app === "api") timeline.after(random.below(flushMs), flush);
  else callAtTimes(world, pod);
  world.links.dial(pod);
}

export function addCaller(world: FlipWorld, caller: Caller): void {
  const { timeline, random, callers } = world;
  callers.push(caller);
  applyCaller(world, caller);
  const call = (): void => {
    if (caller.isCalling) callOnce(world, caller);
    timeline.after(caller.periodMs * (0.8 + random.below(400) / 1_000), call);
  };
  timeline.after(random.below(caller.periodMs), call);
}

/** Its host and its entry change a moment apart. */
export function moveCaller(world: FlipWorld, caller: Caller, address: string): void {
  world.timeline.after(world.random.below(1_000), () => (caller.address = address));
  applyCaller(world, { ...caller, address });
}

function applyCaller(world: FlipWorld, { name, address }: Caller): void {
  applyEntry(world, workloadObject({ name, app: name, address, serviceAccount: undefined }));
}

/** Until it is done. */
function applyEntry(world: FlipWorld, object: PolicyObject): void {
  const isDone = world.apply(object.object.ref, { object, manifest: undefined });
  world.watch.holdersChanged();
  if (!isDone) world.timeline.after(3_000, () => applyEntry(world, object));
}
