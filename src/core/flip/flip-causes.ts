/**
 * What takes a flip back by itself. An outsider's plaintext never does: those count who are known by name, because their address was
 * that of one workload and of nobody else at the time, and each of them once.
 */

import { isFlipPort, stagesOf, type Flip, type RevertCause } from "./flip.ts";
import type { FlipView, RefusedCall } from "./flip-view.ts";

/** In the record; more say nothing more. */
const namesMax = 100;
/** How far the clock of a host may be off: what a proxy tells is by it, and when a stage opened is by the server's. */
const skewMs = 2_000;
/** So long before a stage nothing can be of it, whatever the clocks say. */
const beforeMs = 5_000;

export function revertCause(
  flip: Flip,
  { refused, waivedUntil }: Pick<FlipView, "refused" | "waivedUntil">,
): RevertCause | undefined {
  const untilMs = endMs(flip);
  const all = refused.filter(({ port, firstMs }) => isFlipPort(flip, port) && firstMs <= untilMs);
  const failed = failedCallers(flip, all, waivedUntil);
  if (failed.length > 0) return { kind: "meshed-failure", callers: failed.slice(0, namesMax) };
  // Whom a waiver names, the operator knew of.
  const isWaived = ({ holder, lastMs }: RefusedCall): boolean =>
    holder.kind === "workload" && lastMs <= (waivedUntil.get(holder.name) ?? -Infinity);
  const calls = calledWithin(flip, all);
  const named = refusedCallers(
    flip,
    calls.filter((call) => !isWaived(call)),
  );
  const isEnough = flip.revertOnRefused !== undefined && named.length >= flip.revertOnRefused;
  return isEnough ? { kind: "refused", callers: named.slice(0, namesMax) } : undefined;
}

/** When the flip ends by itself; none before all are strict. */
export function endMs({ state, revertWindowMs }: Flip): number {
  return state.kind === "watching" ? state.sinceMs + revertWindowMs : Infinity;
}

/**
 * Of a source the first call and the last one are known, and none between: where one was before the stage, and the other is after the
 * flip's end, nobody knows that it was refused within.
 */
function calledWithin(flip: Flip, calls: readonly RefusedCall[]): readonly RefusedCall[] {
  const stageOf = stagesOf(flip);
  const untilMs = endMs(flip);
  return calls.filter(({ member, firstMs, lastMs }) => {
    const { openedMs } = stageOf(member) ?? { openedMs: Infinity };
    return lastMs <= untilMs || firstMs >= openedMs - skewMs;
  });
}

/**
 * Callers of the mesh whose mTLS failed since the stage opened. Whoever failed before is in the way of a verdict until a waiver names
 * him: only who was waived when the first stage opened, and had failed before, is not broken by it. A workload's own TLS is not the mesh's.
 */
function failedCallers(
  flip: Flip,
  calls: readonly RefusedCall[],
  waivedUntil: FlipView["waivedUntil"],
): readonly string[] {
  const failures = calls.filter(({ kind }) => kind === "mtls");
  const openedMs = flip.opened[0]?.openedMs ?? Infinity;
  const known = [...namesBefore(flip, failures)];
  const before = new Set(known.filter((name) => (waivedUntil.get(name) ?? 0) > openedMs));
  const stageOf = stagesOf(flip);
  const now = failures.filter((call) => {
    const stage = stageOf(call.member);
    const isOfMesh = call.holder.kind === "workload" && call.holder.isMeshed;
    return isOfMesh && stage !== undefined && call.lastMs >= stage.openedMs - skewMs;
  });
  return namesOf(now).filter((name) => !before.has(name));
}

/**
 * Workloads, of the mesh or not, whom a stage refuses once all of it is in force: their plaintext, or their own TLS, which was passed
 * through before. Where that was refused before, too, it is not the stage.
 */
export function refusedCallers(flip: Flip, calls: readonly RefusedCall[]): readonly string[] {
  const stageOf = stagesOf(flip);
  const refused = calls.filter(({ kind, member, lastMs }) => {
    const inForceMs = stageOf(member)?.inForceMs ?? Infinity;
    return kind !== "mtls" && lastMs >= inForceMs;
  });
  const isPlaintext = ({ kind }: RefusedCall): boolean => kind === "plaintext";
  const ownTls = calls.filter(({ kind }) => kind === "tls" || kind === "passthrough");
  const before = namesBefore(flip, ownTls);
  const names = [
    ...namesOf(refused.filter(isPlaintext)),
    ...namesOf(refused.filter((call) => !isPlaintext(call))).filter((name) => !before.has(name)),
  ];
  return [...new Set(names)].toSorted();
}

function namesBefore({ opened }: Flip, calls: readonly RefusedCall[]): ReadonlySet<string> {
  const openedMs = opened[0]?.openedMs ?? Infinity;
  return new Set(namesOf(calls.filter(({ firstMs }) => firstMs < openedMs - beforeMs)));
}

/** Of those who are one workload alone; each once, sorted. */
function namesOf(calls: readonly RefusedCall[]): readonly string[] {
  const names = calls.flatMap(({ holder }) => (holder.kind === "workload" ? [holder.name] : []));
  return [...new Set(names)].toSorted();
}
