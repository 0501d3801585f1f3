/** What must be so in the world when a verdict was SAFE, whatever the server believes: nobody who would be refused has called. */

import { Violation } from "../world/violation.ts";
import { isConcerned, type Concerned } from "./concerned.ts";
import { entryIn, waivedAt } from "./disk.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import type { Server } from "./server.ts";
import { lagMs } from "../../src/core/evidence/evidence-lag.ts";
import type { Told } from "./told.ts";
import type { TrueCall } from "./truth.ts";
import type { FlipWorld } from "./world.ts";

/** Of clocks. */
const skewMs = 2_000;
/** What counts as covered where a life of a proxy or of its Envoy begins or ends (`coverage-gaps.ts`). */
const slackMs = 5_000;
/** Between what a decision rests on and when it is durable. */
const decidedMs = 5_000;

/** Nor is a client of the mesh told to send what would be refused, but who is waived. */
function assertNobodyBreaks(
  world: FlipWorld,
  server: Server,
  judged: Judged,
  waived: ReadonlySet<string>,
): void {
  // Where its servers have a policy of their own, or are strict already, nothing of theirs changes.
  if (!apiPorts.some((port) => isConcerned(server, judged, port))) return;
  const isLeft = ({ app, name }: Pod): boolean =>
    app === "api" && !judged.isStrict(`${namespace}/${name}`);
  if (!world.there.some(isLeft)) return;
  const sinceMs = world.nowMs - decidedMs;
  if (world.plaintextRuleSinceMs > sinceMs) return;
  for (const { name, app, addedMs } of world.there) {
    if (app !== "web" || addedMs > sinceMs || waived.has(`${namespace}/${name}`)) continue;
    if (entryIn(world.disk, { namespace, name }) === undefined) continue;
    throw new Violation(`the verdict is SAFE, and ${name} is told to send plaintext`);
  }
}

export interface Judged extends Concerned {
  readonly lookBackMs: number;
  readonly isStrict: (name: string) => boolean;
  /** All that are there have told what they saw until then, however short ago that was. */
  readonly toldMs: number;
}

/** Nobody whom a strict port refuses has called in the time that the verdict answers for, but those who are waived. */
export function assertNobodyCalls(world: FlipWorld, server: Server, judged: Judged): void {
  const { lookBackMs, isStrict, toldMs } = judged;
  const nowMs = world.nowMs;
  const lagDueMs = nowMs - Math.min(lagMs, lookBackMs / 2) - skewMs;
  const there = new Set(world.there.map(({ name }) => name));
  const fromMs = nowMs - lookBackMs + skewMs;
  // One that counted when it was decided may have ended since.
  const waived = waivedAt(world.disk, nowMs - decidedMs);
  assertNobodyBreaks(world, server, judged, waived);
  const { told } = world.disk;
  const { policy } = server;
  for (const call of world.truth.calls) {
    const { pod, port, kind, outcome, beganMs, endedMs = Infinity, isEndLost } = call;
    // Of handshakes that failed, and of which no entry has come, nothing is said.
    if (outcome === "failed" || waived.has(`proxy/${namespace}/${pod}`)) continue;
    const dueMs = there.has(pod) ? Math.max(lagDueMs, toldMs - skewMs) : lagDueMs;
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
