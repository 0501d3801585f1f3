/** The end of a schedule: everybody is back and answers, whoever calls without mTLS has moved, and each flip comes to its end. */

import { hasEnded, type Flip } from "../../src/core/flip/flip.ts";
import { manifestOf } from "../../src/core/flip/edited-policy.ts";
import { waitsFor } from "../../src/core/flip/flip-waits.ts";
import { objectSays } from "../../src/core/flip/object-says.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import { Violation } from "../world/violation.ts";
import { assertCounted } from "./count-check.ts";
import { peerObject, plaintextRule } from "./mesh-objects.ts";
import { rivalRef } from "./object-actions.ts";
import { peerOf } from "./plan.ts";
import type { Server } from "./server.ts";
import type { FlipWorld } from "./world.ts";

const stepMs = 5_000;

export function settle(world: FlipWorld): void {
  const { plan } = world;
  heal(world);
  const windowMs = Math.max(0, ...flipsOf(world).map(({ revertWindowMs }) => revertWindowMs));
  const patienceMs = 2 * plan.lookBackMs + 3 * windowMs + 400_000;
  const endMs = world.nowMs + patienceMs;
  while (world.nowMs < endMs && flipsOf(world).some((flip) => !hasEnded(flip))) {
    heal(world);
    world.run(stepMs);
    for (const flip of flipsOf(world)) {
      writeWhatIsAwaited(world, flip);
      giveUpOnNobody(world, flip);
    }
  }
  const standing = flipsOf(world).find((flip) => !hasEnded(flip));
  const { server } = world;
  if (standing !== undefined && server !== undefined)
    throw new Violation(`a flip stands still: ${whyOf(server, standing)}`);
  world.run(60_000);
  for (const flip of flipsOf(world)) assertEnded(world, flip);
  assertCounted(world);
}

function heal(world: FlipWorld): void {
  const { disk } = world;
  disk.plan.disarm();
  disk.see(world.nowMs);
  if (world.server === undefined) world.startServer();
  for (const caller of world.callers) caller.isCalling = false;
  if (world.isPlaintextRule) world.apply(plaintextRule.object.ref, undefined);
  const isOfFlip = flipsOf(world).some((each) => {
    return !hasEnded(each) && refKey(each.edit.ref) === refKey(rivalRef);
  });
  if (disk.objects.has(refKey(rivalRef)) && !isOfFlip) world.apply(rivalRef, undefined);
  for (const pod of world.there) {
    pod.isDeaf = false;
    pod.isBroken = false;
    pod.envoy.isFrozen = false;
    pod.envoy.refusesNext = false;
    const hasRefused = pod.envoy.replies.some(({ isAck }) => !isAck);
    if (pod.agent.isAlive && (pod.agent.hasRefused || hasRefused)) world.killAgent(pod);
    if (!pod.agent.isAlive) world.startAgent(pod, false);
    pod.connections.openLog();
    pod.connections.openCounters();
    pod.poke();
    world.links.dial(pod);
  }
}

function flipsOf({ server }: FlipWorld): readonly Flip[] {
  return server?.flips.all ?? [];
}

/** People write what is theirs to write: of a flip that they write for, and where they have left it half strict. */
function writeWhatIsAwaited(world: FlipWorld, flip: Flip): void {
  const { server } = world;
  const { edit, state } = flip;
  if (server === undefined || hasEnded(flip)) return;
  const says = objectSays(flip, server.view);
  const isBack = state.kind === "reverting";
  const isStrict = says === "after" || says === "partly";
  const isDue = isBack
    ? isStrict && (!edit.isOurs || !world.disk.objects.has(refKey(edit.ref)))
    : says === "partly" || (!edit.isOurs && says !== "after");
  if (!isDue) return;
  const { ref, afterJson } = edit;
  const manifest = manifestOf(afterJson);
  const app = flip.target.name === "" ? "" : "api";
  // What it was before may be strict by now, because of another policy.
  const permissive = peerOf(ref.name, app, "PERMISSIVE", new Map());
  world.apply(ref, isBack ? permissive : { object: peerObject(ref, manifest), manifest });
}

/** Of a target that has nobody any more, nobody ever tells anything. */
function giveUpOnNobody({ server, watch }: FlipWorld, flip: Flip): void {
  if (server === undefined || flip.state.kind !== "editing") return;
  if (server.sight.judge(flip).kind !== "nobody") return;
  watch.ordered.add(flip.id);
  server.flips.revert(flip.id, { kind: "operator", operator: "ada", reason: "nobody" });
}

function whyOf(server: Server, flip: Flip): string {
  const { sight } = server;
  const view = sight.viewBy(flip, sight.see(flip), sight.judge(flip));
  const waits = waitsFor(flip, view, server.nowMs);
  const words = waits.map(({ kind, name, detail }) => `${kind} ${name} ${detail}`);
  return `${flip.state.kind}, object ${view.object}: ${words.join("; ")}`;
}

/** What has come of it is what everybody does. */
function assertEnded(world: FlipWorld, flip: Flip): void {
  const { server } = world;
  const { state } = flip;
  if (server === undefined || !hasEnded(flip)) return;
  for (const pod of world.there) {
    if (pod.app !== "api") continue;
    for (const port of [8080, 8081]) {
      const wanted = server.policy.modeOf(pod.name, port);
      const mode = pod.envoy.modeOf(port);
      if (mode !== wanted)
        throw new Violation(
          `a flip is ${state.kind}, and ${pod.name}:${port} is ${mode}, and not ${wanted}`,
        );
    }
  }
}
