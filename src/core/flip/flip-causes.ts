/**
 * What takes a flip back by itself. An outsider's plaintext never does: those count who are known by name, because their address was
 * that of one workload and of nobody else at the time, and each of them once.
 */

import { isFlipPort, stagesOf, type Flip, type RevertCause } from "./flip.ts";
import type { FlipView, RefusedCall } from "./flip-view.ts";

/** In the record; more say nothing more. */
const namesMax = 100;

export function revertCause(
  flip: Flip,
  { refused, waivedUntil }: Pick<FlipView, "refused" | "waivedUntil">,
): RevertCause | undefined {
  const calls = refused.filter(
    ({ port, firstMs }) => isFlipPort(flip, port) && firstMs <= endMs(flip),
  );
  const failed = failedCallers(flip, calls);
  if (failed.length > 0) return { kind: "meshed-failure", callers: failed.slice(0, namesMax) };
  // Whom a waiver names, the operator knew of.
  const isWaived = ({ holder, lastMs }: RefusedCall): boolean =>
    holder.kind === "workload" && lastMs <= (waivedUntil.get(holder.name) ?? -Infinity);
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

/** Callers of the mesh whose mTLS failed since the stage opened, and never before at this target. A workload's own TLS is not the mesh's. */
function failedCallers(flip: Flip, calls: readonly RefusedCall[]): readonly string[] {
  const failures = calls.filter(({ kind }) => kind === "mtls");
  const before = namesBefore(flip, failures);
  const stageOf = stagesOf(flip);
  const now = failures.filter((call) => {
    const stage = stageOf(call.member);
    const isOfMesh = call.holder.kind === "workload" && call.holder.isMeshed;
    return isOfMesh && stage !== undefined && call.lastMs >= stage.openedMs;
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
  return new Set(namesOf(calls.filter(({ firstMs }) => firstMs < openedMs)));
}

/** Of those who are one workload alone; each once, sorted. */
function namesOf(calls: readonly RefusedCall[]): readonly string[] {
  const names = calls.flatMap(({ holder }) => (holder.kind === "workload" ? [holder.name] : []));
  return [...new Set(names)].toSorted();
}
