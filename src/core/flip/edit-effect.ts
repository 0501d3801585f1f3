/** Whether an edit does what it is for: just the target's ports become what they are to be, whatever other objects say. */

import { nameKey } from "../resources/resource.ts";
import type { ServerDecision, ServerMode } from "../policy/server-mode.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { portChanges } from "../policy/policy-diff-ports.ts";
import { listed, type FlipRefusal } from "./flip-error.ts";
import { targetPorts } from "./target-modes.ts";
import { concerns, labelledOf, otherPorts, type FlipTarget } from "./target.ts";

export interface WantedEffect {
  readonly target: FlipTarget;
  readonly mode: ServerMode;
  /** Lines of their own in the target's policy, which stay. */
  readonly keptPorts?: ReadonlySet<number>;
}

/** @returns why it does not */
export function effectRefusal(
  before: MeshView,
  after: MeshView,
  { target, mode, keptPorts = new Set() }: WantedEffect,
): FlipRefusal | undefined {
  const others = targetPorts(after, target).filter(
    ({ port, decision }) => decision.mode !== mode && !keptPorts.has(port),
  );
  const [first] = others;
  if (first !== undefined) return doesNotReach(target, mode, first.decision, others.map(placeOf));
  const more = portChanges(before, after).flatMap(({ workload, ports }) =>
    ports
      .map((port) => port ?? otherPorts)
      .filter((port) => !isOfTarget(before, target, workload, port))
      .map((port) => placeOf({ name: nameKey(workload), port })),
  );
  return more.length === 0 ? undefined : changesMore(target, more);
}

function isOfTarget(
  { mesh }: MeshView,
  target: FlipTarget,
  workload: { readonly namespace: string; readonly name: string },
  port: number,
): boolean {
  const entry = mesh.services.workload(workload);
  return entry !== undefined && concerns(mesh.peers, target, labelledOf(entry), port);
}

function placeOf({ name, port }: { readonly name: string; readonly port: number }): string {
  return port === otherPorts ? name : `${name}:${port}`;
}

function doesNotReach(
  { text }: FlipTarget,
  mode: ServerMode,
  { because: { ref }, mode: other }: ServerDecision,
  places: readonly string[],
): FlipRefusal {
  const who = ref === undefined ? "the default" : `${ref.kind} ${nameKey(ref)}`;
  return {
    code: "edit-does-not-reach",
    message: `expected ${text} to be ${mode} by the change, got ${other} for ${listed(places)} by ${who}`,
    hint: "why: portcullis mtls explain NAMESPACE/WORKLOAD:PORT; then change or delete what stands over it",
  };
}

function changesMore({ text }: FlipTarget, places: readonly string[]): FlipRefusal {
  return {
    code: "edit-changes-more",
    message: `expected a change of ${text} alone, got one of ${listed(places)}, too`,
    hint: "what would change: portcullis mtls diff",
  };
}
