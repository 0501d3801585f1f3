/** What takes a flip back: nobody but an operator, a caller of the mesh that fails, or as many refused ones, by name, as was said. */

import { isFlipPort, stagesOf, type Flip } from "../../src/core/flip/flip.ts";
import { Violation } from "../world/violation.ts";
import { namespace } from "./mesh-objects.ts";
import { isConcerned } from "./concerned.ts";
import type { Server } from "./server.ts";
import type { ToldCaller } from "./told.ts";
import type { TrueCall } from "./truth.ts";
import type { FlipWorld } from "./world.ts";

const skewMs = 2_500;
/** How far a host's clock may be off: a call is told by it. */
const hostsMs = 1_500;
/** Whether a proxy is of the mesh is known when its agent was heard. */
const youngMs = 30_000;
/** Between what a step rests on and when it is durable. */
const decidedMs = 1_000;

export function assertMayRevert(world: FlipWorld, flip: Flip): void {
  const { state, revertOnRefused } = flip;
  if (state.kind !== "reverting") return;
  const { cause } = state;
  if (cause.kind === "operator") {
    if (!world.watch.ordered.has(flip.id)) throw new Violation("nobody has ordered a revert");
    return;
  }
  if (cause.kind === "superseded") return;
  const callers = new Set(cause.callers);
  if (cause.kind === "refused" && (revertOnRefused === undefined || callers.size < revertOnRefused))
    throw new Violation(`${callers.size} callers take a flip back, of ${revertOnRefused}`);
  const isCause = cause.kind === "refused" ? isRefusedSince : isFailedSince;
  const calls = world.truth.calls.filter((call) => isCause(flip, call));
  for (const name of callers) {
    if (cause.kind === "refused") assertNotWaived(world, name);
    if (calls.some((call) => isOf(world, call, name))) continue;
    throw new Violation(`${name} takes a flip back (${cause.kind}), and was not refused`);
  }
  if (callers.size === 0) throw new Violation("a flip is taken back because of nobody");
}

/** The operator knew of it. */
function assertNotWaived({ disk, nowMs }: FlipWorld, name: string): void {
  const { sinceMs = Infinity, untilMs = 0 } = disk.waivers.get(name) ?? {};
  if (nowMs - sinceMs > decidedMs && untilMs > nowMs)
    throw new Violation(`${name} takes a flip back, and is waived`);
}

/** Of nobody else. */
function isOf({ truth }: FlipWorld, call: TrueCall, name: string): boolean {
  return truth.namesOf(call).has(name);
}

function isRefusedSince(flip: Flip, { outcome, kind, port, pod, beganMs }: TrueCall): boolean {
  const { inForceMs = Infinity } = stagesOf(flip)(`${namespace}/${pod}`) ?? {};
  const isPort = outcome !== "taken" && kind !== "mtls" && isFlipPort(flip, port);
  return isPort && beganMs >= inForceMs - skewMs;
}

function isFailedSince(flip: Flip, { outcome, kind, port, pod, beganMs }: TrueCall): boolean {
  const { openedMs = Infinity } = stagesOf(flip)(`${namespace}/${pod}`) ?? {};
  return (
    outcome === "failed" &&
    kind === "mtls" &&
    isFlipPort(flip, port) &&
    beganMs >= openedMs - skewMs - hostsMs
  );
}

/** What has taken no flip back, and was told in time. */
export function assertMayEnd(world: FlipWorld, server: Server, flip: Flip): void {
  const { state, revertOnRefused = Infinity, revertWindowMs } = flip;
  if (state.kind !== "done" || wasBlind(world)) return;
  const sinceMs = flip.opened.at(-1)?.inForceMs ?? Infinity;
  // What they tell afterwards, their names have said that it may come.
  const unseen = new Set(state.unseen);
  const told = world.disk.told.callers().filter(({ isRefused }) => isRefused);
  const isInTime = (call: TrueCall): boolean =>
    call.outcome !== "taken" &&
    !unseen.has(`${namespace}/${call.pod}`) &&
    call.beganMs <= sinceMs + revertWindowMs - skewMs &&
    isConcerned(server, flip, call.port) &&
    isToldBy(told, call);
  const calls = world.truth.calls.filter(isInTime);
  const refused = new Set<string>();
  for (const call of calls) {
    if (call.kind !== "plaintext" || !isRefusedSince(flip, late(call))) continue;
    for (const name of surelyOf(world, call)) if (!world.disk.waivers.has(name)) refused.add(name);
  }
  if (refused.size >= revertOnRefused)
    throw new Violation(`a flip is done, and ${[...refused].join(" and ")} were refused`);
  const failed = calls.find((call) => isFailedSince(flip, late(call)) && isNew(world, flip, call));
  if (failed !== undefined)
    throw new Violation(
      `a flip is done, and a call from ${failed.address} to ${failed.pod} has failed`,
    );
}

/** Of what was told then nobody knows. */
function wasBlind({ disk: { blindSinceMs, blindUntilMs }, nowMs }: FlipWorld): boolean {
  return blindSinceMs !== undefined || nowMs - blindUntilMs < decidedMs;
}

/** A moment earlier it would count, too. */
function late(call: TrueCall): TrueCall {
  return { ...call, beganMs: call.beganMs - 2 * skewMs };
}

/** It is one workload's, of the mesh, and none of its calls has failed before. */
function isNew({ truth, pods }: FlipWorld, { opened }: Flip, call: TrueCall): boolean {
  const client = pods.find(({ address }) => address === call.address);
  const firstMs = (opened[0]?.openedMs ?? 0) + 2 * skewMs;
  const before = truth.calls.some(
    ({ kind, address, beganMs }) =>
      kind === "mtls" && address === call.address && beganMs < firstMs,
  );
  return client !== undefined && !before && call.beganMs - client.addedMs > youngMs;
}

/** What is of one address is told together: it has a name where nobody else has held that for all of the time. */
function surelyOf({ truth }: FlipWorld, { pod, port, address }: TrueCall): readonly string[] {
  const same = truth.calls.filter(
    (each) => each.pod === pod && each.port === port && each.address === address,
  );
  const times = same.flatMap(({ beganMs, endedMs }) => [beganMs, endedMs ?? Infinity]);
  const [fromMs, toMs] = [Math.min(...times) - hostsMs, Math.max(...times) + hostsMs];
  const names = truth.holders(address, fromMs, toMs);
  return names.length === 1 ? names : [];
}

/** At the server, too. */
function isToldBy(told: readonly ToldCaller[], { pod, port, address, beganMs }: TrueCall): boolean {
  return told.some(
    (each) =>
      each.pod === pod &&
      each.port === port &&
      each.address === address &&
      each.lastMs >= beganMs - skewMs,
  );
}
