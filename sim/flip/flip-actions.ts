/** What operators do. */

import { hasEnded } from "../../src/core/flip/flip.ts";
import { chosen, type WorldAction } from "../run/world-schedule.ts";
import { namespace } from "./mesh-objects.ts";
import { quiet, waive } from "./passing-actions.ts";
import { podNames } from "./pod-names.ts";
import { addPod } from "./population.ts";
import type { FlipWorld } from "./world.ts";

const targets = ["shop/api", "shop/api", "shop/api", "shop/api:8080", "shop/api:8081", "shop"];
const stages = ["1,10%,all", "1,50%,all", "all", "1,2,all", "50%,all"];

export const flipActions: readonly WorldAction<FlipWorld>[] = [
  {
    name: "flip",
    weight: 10,
    apply(world) {
      const { plan, random } = world;
      const isUnderWay = world.server?.flips.all.some((flip) => !hasEnded(flip)) === true;
      if (!isUnderWay && random.below(2) === 0) quiet(world);
      const order = {
        target: chosen(world, targets) ?? "",
        stages: chosen(world, stages) ?? "",
        lookBackMs: plan.lookBackMs,
        revertWindowMs: 10_000 + random.below(50_000),
        revertOnRefused: random.below(2) === 0 ? undefined : 1 + random.below(3),
        isOurs: random.below(4) > 0,
      };
      world.inServer(({ flips }) => {
        const refusal = flips.start(order);
        world.count(`flip refused: ${refusal ?? "no"}`);
        world.say(`flip ${order.target} in ${order.stages}: ${refusal ?? "begun"}`);
      });
    },
  },
  {
    name: "revert",
    weight: 2,
    apply(world) {
      const flip = chosen(world, world.server?.flips.all ?? []);
      if (flip === undefined) return;
      world.watch.ordered.add(flip.id);
      const cause = { kind: "operator", operator: "ada", reason: "" } as const;
      world.inServer(({ flips }) => flips.revert(flip.id, cause));
    },
  },
  {
    name: "waive",
    weight: 3,
    apply(world) {
      const pods = world.pods.map(({ name }) => `proxy/${namespace}/${name}`);
      const callers = world.callers.map(({ name }) => `${namespace}/${name}`);
      const name = chosen(world, [...callers, ...callers, ...pods, "target/shop/api"]);
      if (name !== undefined) waive(world, name, 10_000 + world.random.below(300_000));
    },
  },
  {
    name: "a pod more",
    weight: 2,
    apply(world) {
      const app = world.random.below(4) === 0 ? "web" : "api";
      const count = world.pods.filter((pod) => pod.app === app).length;
      if (count < 6 && world.server !== undefined)
        addPod(world, podNames(app, count + 1, world.random));
    },
  },
];
