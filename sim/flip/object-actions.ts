/** What people do to objects that flips are about, by hand and by editors. */

import { manifestOf } from "../../src/core/flip/edited-policy.ts";
import { hasEnded } from "../../src/core/flip/flip.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { PeerMode } from "../../src/core/resources/peer-authentication.ts";
import { chosen, type WorldAction } from "../run/world-schedule.ts";
import { apiPorts, peerObject, plaintextRule, refOf } from "./mesh-objects.ts";
import { peerOf } from "./plan.ts";
import type { FlipWorld } from "./world.ts";

/** By its name it goes before all others of these workloads. */
export const rivalRef: ResourceRef = refOf("PeerAuthentication", "aaa");

const modes: readonly PeerMode[] = ["PERMISSIVE", "STRICT", "DISABLE", "UNSET"];

export const objectActions: readonly WorldAction<FlipWorld>[] = [
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
    name: "delete a policy, or let another stand over it",
    weight: 1,
    apply(world) {
      const name = ["api", "default", rivalRef.name][world.random.below(3)] ?? "";
      const isThere = world.disk.objects.has(refKey(rivalRef));
      if (name !== rivalRef.name || isThere) {
        world.apply(refOf("PeerAuthentication", name), undefined);
        return;
      }
      world.say(`${name} stands over other policies`);
      world.apply(rivalRef, peerOf(name, "api", "PERMISSIVE", new Map()));
    },
  },
  {
    name: "a policy is written anew",
    weight: 4,
    apply(world) {
      const { disk, random, timeline, server } = world;
      const flip = server?.flips.all.find((each) => !hasEnded(each));
      const ref = flip?.edit.ref ?? refOf("PeerAuthentication", "api");
      const stored = disk.objects.get(refKey(ref));
      if (stored === undefined || !world.apply(ref, undefined)) return;
      world.say(`${ref.name} is away for a moment`);
      const again = (): void => {
        const isDone = disk.objects.has(refKey(ref)) || world.apply(ref, stored);
        if (!isDone) timeline.after(1_000, again);
      };
      timeline.after(random.below(2) === 0 ? 200 : random.below(28_000), again);
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
];
