/** What operators do. */

import { hasEnded } from "../../src/core/flip/flip.ts";
import { manifestOf } from "../../src/core/flip/edited-policy.ts";
import type { PeerMode } from "../../src/core/resources/peer-authentication.ts";
import { chosen, type WorldAction } from "../run/world-schedule.ts";
import { apiPorts, namespace, peerObject, plaintextRule, refOf } from "./mesh-objects.ts";
import { quiet, waive } from "./passing-actions.ts";
import { peerOf, podNames } from "./plan.ts";
import type { FlipWorld } from "./world.ts";

const targets = ["shop/api", "shop/api", "shop/api", "shop/api:8080", "shop/api:8081", "shop"];
const stages = ["1,10%,all", "1,50%,all", "all", "1,2,all", "50%,all"];
const modes: readonly PeerMode[] = ["PERMISSIVE", "STRICT", "DISABLE", "UNSET"];

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
    name: "what is awaited comes",
    weight: 6,
    apply(world) {
      const flip = world.server?.flips.all.find((each) => !hasEnded(each) && !each.edit.isOurs);
      if (flip === undefined) return;
      const { ref, beforeJson, afterJson } = flip.edit;
      const json = flip.state.kind === "reverting" ? beforeJson : afterJson;
      const manifest = json === undefined ? undefined : manifestOf(json);
      world.apply(ref, manifest && { object: peerObject(ref, manifest), manifest });
    },
  },
  {
    name: "apply a policy by hand",
    weight: 2,
    apply(world) {
      const isOfApi = world.random.below(3) > 0;
      const mode = chosen(world, modes) ?? "UNSET";
      const port = chosen(world, apiPorts) ?? 0;
      const isPort = isOfApi && world.random.below(3) === 0;
      const ports = new Map(isPort ? [[port, chosen(world, modes) ?? "UNSET"] as const] : []);
      const object = isOfApi
        ? peerOf("api", "api", mode, ports)
        : peerOf("default", "", mode, ports);
      world.say(`${object.object.object.ref.name} is to be ${mode} ${[...ports].join(" ")}`);
      world.apply(object.object.object.ref, object);
    },
  },
  {
    name: "delete a policy",
    weight: 1,
    apply(world) {
      const name = world.random.below(2) === 0 ? "api" : "default";
      world.apply(refOf("PeerAuthentication", name), undefined);
    },
  },
  {
    name: "clients send plaintext, or no more",
    weight: 2,
    apply(world) {
      const { ref } = plaintextRule.object;
      const isThere = world.isPlaintextRule;
      world.say(isThere ? "no client is to send plaintext" : "clients are to send plaintext");
      world.apply(ref, isThere ? undefined : { object: plaintextRule, manifest: undefined });
    },
  },
  {
    name: "a pod more",
    weight: 2,
    apply(world) {
      const app = world.random.below(4) === 0 ? "web" : "api";
      const count = world.pods.filter((pod) => pod.app === app).length;
      if (count < 6 && world.server !== undefined)
        world.addPod(podNames(app, count + 1, world.random));
    },
  },
];
