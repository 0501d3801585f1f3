/** What must be so in the world when a stage of a flip opens, whatever the server believes. */

import type { Flip } from "../../src/core/flip/flip.ts";
import { objectSays } from "../../src/core/flip/object-says.ts";
import { Violation } from "../world/violation.ts";
import { lagMs } from "./target-evidence.ts";
import { isConcerned, type Concerned } from "./concerned.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import { waivedAt, type Server } from "./server.ts";
import type { Told } from "./told.ts";
import type { TrueCall } from "./truth.ts";
import type { FlipWorld } from "./world.ts";

/** Of clocks. */
const skewMs = 2_000;
/** What counts as covered where a life of a proxy or of its Envoy begins or ends (`coverage-gaps.ts`). */
const slackMs = 5_000;
const settledMs = 1_000;
/** Whoever has just begun may do what it did before. */
const youngMs = 15_000;

export interface Opening {
  readonly world: FlipWorld;
  readonly server: Server;
  /** As it was. */
  readonly before: Flip;
}

export function assertMayOpen({ world, server, before }: Opening): void {
  const strict = new Set(before.opened.flatMap(({ workloads }) => workloads));
  assertNobodyCalls(world, server, { ...before, isStrict: (name) => strict.has(name) });
  const inForceMs = before.opened.at(-1)?.inForceMs;
  if (before.opened.length > 0 && inForceMs === undefined)
    throw new Violation("a stage opens, and the one before it is not in force");
  const waived = waivedAt(world.disk, world.nowMs);
  for (const pod of world.there) {
    const name = `${namespace}/${pod.name}`;
    if (!strict.has(name) || waived.has(`proxy/${name}`)) continue;
    // Somebody else may have changed it since it was decided.
    if (objectSays(before, server.view) === "after") assertRefuses(world, server, pod, before);
    if (inForceMs !== undefined) assertTold(world, server, pod, before, inForceMs + settledMs);
  }
}

export interface Judged extends Concerned {
  readonly lookBackMs: number;
  readonly isStrict: (name: string) => boolean;
}

/** Nobody whom a strict port refuses has called in the time that the verdict answers for, but those who are waived. */
export function assertNobodyCalls(world: FlipWorld, server: Server, judged: Judged): void {
  const { lookBackMs, isStrict } = judged;
  const nowMs = world.nowMs;
  const dueMs = nowMs - Math.min(lagMs, lookBackMs / 2) - skewMs;
  const fromMs = nowMs - lookBackMs + skewMs;
  const waived = waivedAt(world.disk, nowMs);
  const { told } = world.disk;
  const { policy } = server;
  for (const call of world.truth.calls) {
    const { pod, port, kind, outcome, beganMs, endedMs = Infinity, isEndLost } = call;
    // Of handshakes that failed, and of which no entry has come, nothing is said.
    if (outcome === "failed" || waived.has(`proxy/${namespace}/${pod}`)) continue;
    // Whose it was is known, and until when it was open is not.
    if (isEndLost && beganMs < fromMs) continue;
    if (beganMs > dueMs || endedMs < fromMs || isStrict(`${namespace}/${pod}`)) continue;
    if (!isConcerned(server, judged, port)) continue;
    const names = world.truth.namesOf(call);
    if (
      [...names].some((name) => waived.has(name)) ||
      isExcused(told, call, fromMs, policy.expected.has(pod))
    )
      continue;
    const who = [...names].join(" or ");
    const ago = (ms: number): string => `${((nowMs - ms) / 1_000).toFixed(1)} s ago`;
    const until = endedMs === Infinity ? "" : `, until ${ago(endedMs)}`;
    throw new Violation(
      `the verdict is SAFE, and ${who} called ${pod}:${port} with ${kind} ${ago(beganMs)}${until}`,
    );
  }
}

/** In the few seconds at the beginning or the end of a proxy's life, or of its Envoy's, that count as covered. */
function isExcused(
  told: Told,
  { pod, port, beganMs, endedMs = Infinity }: TrueCall,
  windowMs: number,
  isExpected: boolean,
): boolean {
  const lives = told.lives(pod);
  const isNear = (fromMs: number, toMs: number): boolean =>
    Math.max(beganMs, windowMs) >= fromMs - skewMs && endedMs <= toMs + skewMs;
  const isAtEnd = lives.some(
    ({ bornMs, goneMs }) =>
      isNear(bornMs - slackMs, bornMs + slackMs) || isNear(goneMs - slackMs, goneMs + slackMs),
  );
  // Nobody knows of a proxy that was gone before the server was there to hear of it.
  if (lives.length === 0) return !isExpected;
  if (isAtEnd || lives.every(({ bornMs, goneMs }) => endedMs < bornMs || beganMs > goneMs))
    return true;
  const begun = new Map<string, number>();
  for (const { port: its, life, sinceMs } of told.spans(pod)) {
    if (its === port) begun.set(life, Math.min(begun.get(life) ?? Infinity, sinceMs));
  }
  return [...begun.values()].some((sinceMs) => isNear(sinceMs - slackMs, sinceMs));
}

function assertRefuses(world: FlipWorld, server: Server, pod: Pod, flip: Concerned): void {
  if (world.nowMs - pod.bornMs < youngMs || pod.link === undefined) return;
  for (const { call, chain } of pod.traffic.open) {
    if (chain.endsTls || !isConcerned(server, flip, call.port)) continue;
    throw new Violation(`a stage opens, and ${pod.name} has a connection of before`);
  }
}

function assertTold(
  { disk }: FlipWorld,
  server: Server,
  { name, link }: Pod,
  flip: Concerned,
  untilMs: number,
): void {
  const isAsked = apiPorts.some((port) => isConcerned(server, flip, port));
  if (link === undefined || !isAsked) return;
  const asked = disk.told.spans(name).filter(({ port }) => isConcerned(server, flip, port));
  if (!asked.some((span) => span.untilMs >= untilMs))
    throw new Violation(`a stage opens, and ${name} has not told whom it has refused`);
}
