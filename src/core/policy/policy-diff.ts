/**
 * What a change of the configuration would do to whom. Compared are the workloads that both have: what their ports take, if they have
 * a proxy, and their calls to everybody whom their Sidecars let them call (without a Sidecar, everybody whom they see), endpoint by
 * endpoint.
 */

import { nameKey } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import { findingKey, findingsOf } from "./findings.ts";
import type { MeshView } from "./mesh-view.ts";
import { callChanges, type CallChange } from "./policy-diff-calls.ts";
import { clientClasses } from "./policy-diff-clients.ts";
import { portChanges, type PortChange } from "./policy-diff-ports.ts";

export type ClientsChange = CallChange & {
  /** `NAMESPACE/NAME` of all whose call it is. */
  readonly clients: readonly string[];
};

export interface PolicyDiff {
  readonly ports: readonly PortChange[];
  /** Those that would break first. */
  readonly calls: readonly ClientsChange[];
  readonly newFindings: readonly Finding[];
  readonly goneFindings: readonly Finding[];
  readonly summary: DiffSummary;
}

export type DiffSummary = {
  /** Compared. */
  readonly workloads: number;
  readonly workloadsAdded: number;
  readonly workloadsRemoved: number;
  /** Of workloads, whose mode changes; "all others" counts as one. */
  readonly ports: number;
  /** Pairs of a client and an endpoint. */
  readonly calls: number;
  /** Those among them that worked, and would no more. */
  readonly callsBroken: number;
};

export function diffPolicies(before: MeshView, after: MeshView): PolicyDiff {
  const ports = portChanges(before, after);
  const calls = clientClasses(before, after)
    .flatMap((client) =>
      callChanges(before, after, client).map((each) => ({ ...each, clients: client.names })),
    )
    .toSorted((a, b) => Number(b.breaks) - Number(a.breaks));
  const [old, now] = [findingsOf(before), findingsOf(after)];
  return {
    ports,
    calls,
    newFindings: without(now, old),
    goneFindings: without(old, now),
    summary: {
      ...workloadCounts(before, after),
      ports: total(ports, (each) => each.ports.length),
      calls: total(calls, ({ clients }) => clients.length),
      callsBroken: total(calls, ({ breaks, clients }) => (breaks ? clients.length : 0)),
    },
  };
}

function without(all: readonly Finding[], others: readonly Finding[]): readonly Finding[] {
  const keys = new Set(others.map(findingKey));
  return all.filter((each) => !keys.has(findingKey(each)));
}

function workloadCounts(
  before: MeshView,
  after: MeshView,
): Pick<DiffSummary, "workloads" | "workloadsAdded" | "workloadsRemoved"> {
  const names = ({ objects }: MeshView): ReadonlySet<string> =>
    new Set(objects.workloads.map(({ ref }) => nameKey(ref)));
  const [old, now] = [names(before), names(after)];
  const workloads = old.intersection(now).size;
  return {
    workloads,
    workloadsAdded: now.size - workloads,
    workloadsRemoved: old.size - workloads,
  };
}

function total<Item>(items: readonly Item[], count: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0);
}
