/** Which ports of workloads a change of the configuration would make take something else. */

import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { becauseValue, type BecauseValue } from "./explain-value.ts";
import type { MeshView } from "./mesh-view.ts";
import { serverMode, type ServerDecision, type ServerMode } from "./server-mode.ts";

export type PortOutcome = { readonly mode: ServerMode; readonly because: BecauseValue };

export type PortChange = {
  readonly workload: { readonly namespace: string; readonly name: string };
  /** Null for all that nobody names. */
  readonly ports: readonly (number | null)[];
  readonly before: PortOutcome;
  readonly after: PortOutcome;
};

/** No policy can name it. */
const otherPorts = 0;

/** Of the workloads that both have, with a proxy that does it. */
export function portChanges(before: MeshView, after: MeshView): readonly PortChange[] {
  return before.objects.workloads.flatMap((was) => {
    const is = after.mesh.services.workload(was.ref);
    const isEnforced = is !== undefined && (takesMeshTls(was) || takesMeshTls(is));
    return isEnforced ? changesOf(before, after, was, is) : [];
  });
}

function changesOf(
  before: MeshView,
  after: MeshView,
  was: WorkloadEntry,
  is: WorkloadEntry,
): readonly PortChange[] {
  const { namespace, name } = was.ref;
  const found = new Map<
    string,
    { ports: (number | null)[]; old: ServerDecision; now: ServerDecision }
  >();
  const named = new Set([...portsOf(before, was), ...portsOf(after, is)]);
  for (const port of [...[...named].toSorted((a, b) => a - b), otherPorts]) {
    const old = decide(before, was, port);
    const now = decide(after, is, port);
    if (old.mode === now.mode) continue;
    const key = JSON.stringify([old.mode, old.because, now.mode, now.because]);
    const same = found.get(key) ?? { ports: [], old, now };
    same.ports.push(port === otherPorts ? null : port);
    found.set(key, same);
  }
  return Array.from(found.values(), ({ ports: changed, old, now }) => ({
    workload: { namespace, name },
    ports: changed,
    before: outcomeOf(old),
    after: outcomeOf(now),
  }));
}

/** Also those that only its policy names: somebody listens there, or the policy is wrong. */
function portsOf(view: MeshView, workload: WorkloadEntry): readonly number[] {
  const { namespace } = workload.ref;
  const [policy] = view.mesh.peers.selecting({ namespace, labels: workload.labels });
  return [...view.portsOf(workload), ...(policy?.ports.keys() ?? [])];
}

function decide(view: MeshView, { ref, labels }: WorkloadEntry, port: number): ServerDecision {
  return serverMode(view.mesh.peers, { namespace: ref.namespace, labels }, port);
}

function outcomeOf({ mode, because }: ServerDecision): PortOutcome {
  return { mode, because: becauseValue(because) };
}
