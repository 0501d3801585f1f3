/** From which objects a resource of an Envoy comes: what an operator is told when the Envoy refuses it. */

import { refKey } from "../resources/policy-object.ts";
import type { ResourceRef } from "../resources/resource.ts";
import type { WorkloadEntry } from "../resources/workload-entry.ts";
import { decideServiceCalls } from "./calls.ts";
import { clusterName, type CalledPort } from "./outbound-cluster.ts";
import type { PolicyState } from "./policy-state.ts";
import { serverMode } from "./server-mode.ts";
import type { WorkloadClass } from "./workload-classes.ts";

const inboundName = /^inbound[_|](\d{1,5})$/;

export function policyBecause(
  state: PolicyState,
  of: WorkloadClass,
  entry: WorkloadEntry | undefined,
  name: string,
): readonly ResourceRef[] {
  const { sidecar, view } = of;
  const called = view?.calls.find((each) => clusterName(each.called) === name)?.called;
  if (called !== undefined) return unique(becauseOfCluster(state, of, called));
  const inbound = inboundName.exec(name);
  if (inbound !== null) {
    const port = Number(inbound[1]);
    if (sidecar?.ingress.some((each) => each.port.number === port) !== true) return [];
    return unique([sidecar.ref, serverMode(state.peers, of, port).because.ref, entry?.ref]);
  }
  const outbound = view?.outbound.find(({ bind, port }) => `outbound_${bind}_${port}` === name);
  if (outbound === undefined) return [];
  const led = new Set(outbound.routes.map(({ cluster }) => cluster));
  const services = view?.calls.filter((each) => led.has(clusterName(each.called))) ?? [];
  return unique([sidecar?.ref, ...services.map((each) => each.called.service.ref)]);
}

function becauseOfCluster(
  state: PolicyState,
  of: WorkloadClass,
  { service, port, host }: CalledPort,
): readonly (ResourceRef | undefined)[] {
  const calls = decideServiceCalls(state, of, { service, port, host, subset: "" });
  const rule = state.rules.ruleFor(of, host, service.ref.namespace);
  return [
    rule?.ref,
    service.ref,
    ...calls.map(({ server }) => server?.because.ref),
    ...calls.map(({ endpoint }) => endpoint.ref),
  ];
}

function unique(refs: readonly (ResourceRef | undefined)[]): readonly ResourceRef[] {
  const found = new Map<string, ResourceRef>();
  for (const ref of refs)
    if (ref !== undefined && !found.has(refKey(ref))) found.set(refKey(ref), ref);
  return [...found.values()];
}
