/** What must be so in the world when a stage of a flip opens, whatever the server believes. */

import type { Flip } from "../../src/core/flip/flip.ts";
import { Violation } from "../world/violation.ts";
import { lagMs } from "./target-evidence.ts";
import { isConcerned, type Concerned } from "./concerned.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import { waivedAt, type Server } from "./server.ts";
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
    assertRefuses(world, server, pod, before);
    if (inForceMs !== undefined) assertTold(server, pod, before, inForceMs + settledMs);
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
  for (const call of world.truth.calls) {
    const { pod, port, kind, outcome, beganMs, endedMs = Infinity, isEndLost } = call;
    // Of handshakes that failed, and of which no entry has come, nothing is said.
    if (outcome === "failed" || waived.has(`proxy/${namespace}/${pod}`)) continue;
    // Whose it was is known, and until when it was open is not.
    if (isEndLost && beganMs < fromMs) continue;
    if (beganMs > dueMs || endedMs < fromMs || isStrict(`${namespace}/${pod}`)) continue;
    if (!isConcerned(server, judged, port)) continue;
    const names = world.truth.namesOf(call);
    if ([...names].some((name) => waived.has(name)) || isExcused(server, call, fromMs)) continue;
    if (process.env["H7"]) dump(world, server, call);
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
  server: Server,
  { pod, port, beganMs, endedMs = Infinity }: TrueCall,
  windowMs: number,
): boolean {
  const question = { kind: "members", namespace, selector: new Map(), sinceMs: 0 } as const;
  const lives = server.evidence.ask(question).filter(({ name }) => name === `${namespace}/${pod}`);
  // Nobody knows of a proxy that was gone before the server was there to hear of it.
  if (lives.length === 0) return !server.policy.expected.has(pod);
  const isNear = (fromMs: number, toMs: number): boolean =>
    Math.max(beganMs, windowMs) >= fromMs - skewMs && endedMs <= toMs + skewMs;
  const isAtEnd = lives.some(
    ({ bornMs, goneMs = Infinity }) =>
      isNear(bornMs - slackMs, bornMs + slackMs) || isNear(goneMs - slackMs, goneMs + slackMs),
  );
  const isBetween = lives.every(
    ({ bornMs, goneMs = Infinity }) => endedMs < bornMs || beganMs > goneMs,
  );
  if (isAtEnd || isBetween) return true;
  const keys = lives.map(({ key }) => key);
  const spans = server.evidence.ask({ kind: "spans", members: keys, sinceMs: 0 });
  const begun = new Map<string, number>();
  for (const span of spans) {
    if (span.port !== port) continue;
    const key = `${span.member} ${span.epochMs}`;
    begun.set(key, Math.min(begun.get(key) ?? Infinity, span.sinceMs));
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

function assertTold(server: Server, { name, link }: Pod, flip: Concerned, untilMs: number): void {
  if (link === undefined) return;
  const question = { kind: "members", namespace, selector: new Map(), sinceMs: untilMs } as const;
  const members = server.evidence
    .ask(question)
    .filter((each) => each.name === `${namespace}/${name}` && each.goneMs === undefined);
  const keys = members.map(({ key }) => key);
  const spans = server.evidence.ask({ kind: "spans", members: keys, sinceMs: 0 });
  const asked = spans.filter(({ port }) => isConcerned(server, flip, port));
  const isAsked = apiPorts.some((port) => isConcerned(server, flip, port));
  if (isAsked && !asked.some((span) => span.untilMs >= untilMs))
    throw new Violation(`a stage opens, and ${name} has not told whom it has refused`);
}

function dump(world: FlipWorld, server: Server, { pod }: TrueCall): void {
  const rel = (ms: number | undefined): string =>
    ms === undefined ? "-" : ((ms - world.nowMs) / 1000).toFixed(2);
  const ms = server.evidence
    .ask({ kind: "members", namespace, selector: new Map(), sinceMs: 0 })
    .filter(({ name }) => name === `${namespace}/${pod}`);
  for (const m of ms)
    world.say(`MEMBER ${m.key} ${m.name} born ${rel(m.bornMs)} gone ${rel(m.goneMs)} clock`);
  const members = ms.map(({ key }) => key);
  for (const s of server.evidence.ask({
    kind: "seen",
    members,
    ports: undefined,
    sinceMs: 0,
    isRefusedOnly: false,
  }))
    world.say(
      `SEEN ${s.member} ${s.port} ${s.kind} ${s.isRefused} ${JSON.stringify(s.source)} ${rel(s.firstMs)}..${rel(s.lastMs)} ${s.count}`,
    );
  for (const s of server.evidence.ask({ kind: "spans", members, sinceMs: 0 }))
    world.say(
      `SPAN ${s.member} ${s.port} epoch ${rel(s.epochMs)} ${rel(s.sinceMs)}..${rel(s.untilMs)} lost ${s.lostUnmeshed} ${s.lostMeshed} open ${s.openUnnamed}`,
    );
}
