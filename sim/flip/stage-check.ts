/** What must be so in the world when a flip begins and when a stage of it opens, whatever the server believes. */

import { stagesOf, type Flip } from "../../src/core/flip/flip.ts";
import { objectSays } from "../../src/core/flip/object-says.ts";
import { Violation } from "../world/violation.ts";
import { isConcerned, type Concerned } from "./concerned.ts";
import { entryIn, waivedAt } from "./disk.ts";
import { noticeMsMax } from "./links.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import { assertNobodyCalls } from "./safe-check.ts";
import type { Server } from "./server.ts";
import type { FlipWorld } from "./world.ts";

/** How long after an order, or after a stage is in force, evidence has to reach. */
const settledMs = 1_000;
/** Between what a step rests on and when it is durable. */
const decidedMs = 1_000;
/** Whoever has just begun may do what it did before. */
const youngMs = 15_000;

export interface Opening {
  readonly world: FlipWorld;
  readonly server: Server;
  /** As it was. */
  readonly before: Flip;
}

export function assertMayBegin(world: FlipWorld, server: Server, flip: Flip): void {
  assertSees(world);
  for (const pod of membersOf(world, server, flip)) assertHeard(world, pod);
  assertNobodyCalls(world, server, { ...flip, isStrict: () => false, toldMs: -Infinity });
}

export function assertMayOpen({ world, server, before }: Opening): void {
  assertSees(world);
  const strict = new Set(before.opened.flatMap(({ workloads }) => workloads));
  const isStrict = (name: string): boolean => strict.has(name);
  const last = before.opened.at(-1);
  const toldMs = last === undefined ? before.startedMs : last.inForceMs;
  if (toldMs === undefined)
    throw new Violation("a stage opens, and the one before it is not in force");
  for (const pod of membersOf(world, server, before)) {
    assertHeard(world, pod);
    assertTold(world, server, pod, before, toldMs + settledMs);
  }
  assertNobodyCalls(world, server, { ...before, isStrict, toldMs });
}

/** All whom the last stage, or one before it, has made strict refuse plaintext, and none of before is open. */
export function assertInForce(world: FlipWorld, server: Server, flip: Flip): void {
  // Somebody else may have changed it since it was decided.
  if (objectSays(flip, server.view) !== "after") return;
  const stageOf = stagesOf(flip);
  for (const pod of membersOf(world, server, flip)) {
    if (stageOf(nameOf(pod)) !== undefined) assertRefuses(world, server, pod, flip);
  }
}

/** Those that could be known, and whose silence is not waived. */
function membersOf(world: FlipWorld, server: Server, flip: Concerned): readonly Pod[] {
  const { disk, nowMs, there } = world;
  const waived = waivedAt(disk, nowMs);
  if (!apiPorts.some((port) => isConcerned(server, flip, port))) return [];
  return there.filter((pod) => {
    const isWaived = waived.has(`proxy/${nameOf(pod)}`);
    return pod.app === "api" && !isWaived && nowMs - knownSinceMs(world, pod) > decidedMs;
  });
}

/** By the configuration, or because it has told something. */
export function knownSinceMs({ disk, truth }: FlipWorld, pod: Pod): number {
  const { name } = pod;
  const lives = disk.told.lives(name).filter(({ goneMs }) => goneMs === Infinity);
  const isConfigured = entryIn(disk, { namespace, name }) !== undefined;
  const configuredMs = isConfigured ? truth.configuredSinceMs(nameOf(pod)) : Infinity;
  return Math.min(configuredMs, ...lives.map(({ bornMs }) => bornMs));
}

/** Of what nobody can ask, nothing is concluded. */
function assertSees({ disk: { blindSinceMs = Infinity }, nowMs }: FlipWorld): void {
  if (nowMs - blindSinceMs > decidedMs)
    throw new Violation("a flip goes on, and its evidence cannot be asked");
}

/** A call of this moment would be told by nobody. */
function assertHeard({ nowMs }: FlipWorld, { name, awaySinceMs = Infinity }: Pod): void {
  if (nowMs - awaySinceMs > noticeMsMax + decidedMs)
    throw new Violation(`a flip goes on, and nothing is heard of ${name}`);
}

function assertRefuses(world: FlipWorld, server: Server, pod: Pod, flip: Concerned): void {
  if (world.nowMs - pod.bornMs < youngMs || pod.talk.link === undefined) return;
  const isOf = (port: number): boolean => isConcerned(server, flip, port);
  if (apiPorts.some((port) => isOf(port) && pod.envoy.modeOf(port) !== "strict"))
    throw new Violation(`a stage is in force, and ${pod.name} is not strict`);
  for (const { call, chain } of pod.traffic.open) {
    if (chain.endsTls || !isOf(call.port)) continue;
    throw new Violation(`a stage is in force, and ${pod.name} has a connection of before`);
  }
}

function assertTold(
  { disk }: FlipWorld,
  server: Server,
  { name }: Pod,
  flip: Concerned,
  untilMs: number,
): void {
  const spans = disk.told.spans(name);
  const hasTold = (port: number): boolean =>
    spans.some((span) => span.port === port && span.untilMs >= untilMs);
  if (!apiPorts.every((port) => hasTold(port) || !isConcerned(server, flip, port)))
    throw new Violation(`a stage opens, and ${name} has not told whom it has seen until then`);
}

function nameOf({ name }: Pod): string {
  return `${namespace}/${name}`;
}
