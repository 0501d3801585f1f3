/** `mtls explain SRC DST:PORT`: what becomes of a call. */

import { explainCall, type CallValue } from "../../core/policy/explain.ts";
import { isInEgress } from "../../core/policy/explain-egress.ts";
import type { MeshView } from "../../core/policy/mesh-view.ts";
import { nameKey } from "../../core/resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../../core/resources/workload-entry.ts";
import { findTarget, findWorkload, parsePlaceAndPort, type FoundTarget } from "./explain-target.ts";
import type { ShownReason } from "./explain-words.ts";
import { ExplainError, type Configuration } from "./mtls-configuration.ts";

export type ExplainedCall = Omit<CallValue, "why"> & {
  readonly source: { readonly namespace: string; readonly name: string };
  readonly why: ShownReason;
  /** What else is to be known, in words. */
  readonly notes: readonly string[];
};

/** @throws ExplainError, UsageError */
export function explainedCall(
  { view }: Configuration,
  from: string,
  to: string,
  subset: string,
): ExplainedCall {
  const place = parsePlaceAndPort("DST:PORT", to);
  const source = findWorkload(view, from);
  const target = findTarget(view, source, place, subset);
  checkSubset(view, source, target);
  const { host, port } = target;
  const answer = explainCall(view.mesh, source, { host, port, subset });
  if (answer.kind === "unknown-host") throw unknownHost(host);
  if (answer.kind === "unknown-port") {
    const message = `${host} has no port ${port}; it has ${answer.ports.join(", ")}`;
    const hint =
      "ports here are the service's; of a workload's own: portcullis mtls explain NAMESPACE/NAME:PORT";
    throw new ExplainError("explain-unknown-port", message, { hint });
  }
  const call = ofEndpoint(answer.call, target);
  const { namespace, name } = source.ref;
  const listener = listenerOf(view, source, call);
  return { source: { namespace, name }, ...call, ...listener };
}

function unknownHost(host: string): ExplainError {
  return new ExplainError("explain-unknown-host", `no ServiceEntry has the host ${host}`);
}

/** The one that was asked for. */
function ofEndpoint(call: CallValue, { endpoint }: FoundTarget): CallValue {
  if (endpoint === undefined) return call;
  const { namespace, name } = endpoint.ref;
  const endpoints = call.endpoints.filter(
    ({ workload }) => workload?.namespace === namespace && workload.name === name,
  );
  const [only] = endpoints;
  return only === undefined ? call : { ...call, verdict: only.verdict, why: only.why, endpoints };
}

/** Without interception an Envoy carries only what its Sidecar gives it a listener for. */
function listenerOf(
  view: MeshView,
  source: WorkloadEntry,
  { verdict, why, host, service: of }: CallValue,
): Pick<ExplainedCall, "verdict" | "why" | "notes"> {
  if (!takesMeshTls(source)) return { verdict, why, notes: [] };
  const { namespace } = source.ref;
  const name = nameKey(source.ref);
  const sidecar = view.sidecarOf({ namespace, labels: source.labels });
  if (sidecar === undefined) {
    const note = `no Sidecar is for ${name}: its Envoy has a listener for this call only if somebody else writes it`;
    return { verdict, why, notes: [note] };
  }
  const service = view.mesh.services.service(of);
  if (service !== undefined && isInEgress(sidecar, namespace, service, host)) {
    return { verdict, why, notes: [] };
  }
  const note = `Sidecar ${nameKey(sidecar.ref)} does not let ${name} call ${host}: its Envoy has no listener for it`;
  return { verdict: "fails", why: "not-in-egress", notes: [note] };
}

/** Istio has no cluster for one that no rule declares. */
function checkSubset({ mesh }: MeshView, source: WorkloadEntry, target: FoundTarget): void {
  const { host, subset } = target;
  if (subset === "") return;
  const { namespace } = source.ref;
  const [service] = mesh.services.seen(host, namespace);
  const client = { namespace, labels: source.labels };
  const rule = service && mesh.rules.ruleFor(client, host, service.ref.namespace);
  const names = rule?.subsets.map(({ name }) => name) ?? [];
  if (names.includes(subset)) return;
  const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  const message = `${host} has no subset ${JSON.stringify(subset)} for ${nameKey(source.ref)}; ${known}`;
  throw new ExplainError("explain-unknown-subset", message);
}
