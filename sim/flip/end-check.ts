/** How a flip ends by itself: in its time, with the names of whom it has not seen; an object that is missing for a moment ends nothing. */

import type { Flip } from "../../src/core/flip/flip.ts";
import { isStanding, objectSays } from "../../src/core/flip/object-says.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import { Violation } from "../world/violation.ts";
import { isConcerned } from "./concerned.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Server } from "./server.ts";
import { knownSinceMs } from "./stage-check.ts";
import type { FlipWorld } from "./world.ts";

/** Between what a step rests on and when it is durable. */
const decidedMs = 1_000;
/** An object may be missing as long. */
const missingMs = 30_000;
/** Whoever has told nothing of the window's end is waited for as long after it. */
const lateMs = 60_000;
const doneMs = 10_000;

/** Of a flip that has ended. */
export function assertMayBeOver(world: FlipWorld, server: Server, flip: Flip): void {
  assertNamesUnseen(world, server, flip);
  assertMissedLong(world, flip);
  assertLeavesNothing(server, flip);
}

function assertNamesUnseen(world: FlipWorld, server: Server, flip: Flip): void {
  const { state, opened, revertWindowMs } = flip;
  if (state.kind !== "done") return;
  const untilMs = (opened.at(-1)?.inForceMs ?? Infinity) + revertWindowMs;
  const unseen = new Set(state.unseen);
  const ports = apiPorts.filter((port) => isConcerned(server, flip, port));
  for (const pod of world.there) {
    const { name, app } = pod;
    const isKnown = world.nowMs - knownSinceMs(world, pod) > decidedMs;
    if (app !== "api" || !isKnown || unseen.has(`${namespace}/${name}`)) continue;
    const spans = world.disk.told.spans(name);
    const hasTold = (port: number): boolean =>
      spans.some((span) => span.port === port && span.untilMs >= untilMs);
    if (ports.every(hasTold)) continue;
    throw new Violation(
      `a flip is done, and says nothing of ${name}, which has not told of it all`,
    );
  }
}

/** When what stands over it goes, nobody becomes strict. What is strict in part has had its stage. */
function assertLeavesNothing({ view }: Pick<Server, "view">, flip: Flip): void {
  const { kind } = flip.state;
  if (kind !== "superseded" && kind !== "reverted") return;
  const says = objectSays(flip, view);
  if (says !== "after" && says !== "partly" && isStanding(flip, view))
    throw new Violation(`a flip is ${kind}, and its object makes all strict when another goes`);
}

function assertMissedLong({ disk, nowMs }: FlipWorld, { state, edit }: Flip): void {
  if (state.kind !== "superseded") return;
  const key = refKey(edit.ref);
  if (disk.objects.has(key)) return;
  const missedMs = nowMs - (disk.absentSinceMs.get(key) ?? -Infinity);
  // Before that it may have been there, and have said something else.
  if (missedMs > decidedMs && missedMs < missingMs)
    throw new Violation(`a flip ends, and its object was not there for ${missedMs} ms only`);
}

/** Whoever does not come back holds up nothing for ever. */
export function assertEndsInTime(
  { nowMs }: FlipWorld,
  { state, revertWindowMs }: Flip,
  startedMs: number,
): void {
  if (state.kind !== "watching") return;
  const endMs = Math.max(state.sinceMs + revertWindowMs, startedMs);
  if (nowMs > endMs + lateMs + missingMs + doneMs)
    throw new Violation(`a flip still watches, ${nowMs - endMs} ms after its window`);
}
