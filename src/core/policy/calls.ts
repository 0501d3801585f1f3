/** What each endpoint of a host would be sent by a client: everything that decides it, put together. */

import type { MeshConfig } from "../resources/mesh-config.ts";
import type { ServiceEntry, ServicePort } from "../resources/service-entry.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import { clientDecision, type ClientDecision } from "./client-decision.ts";
import type { DestinationRules } from "./destination-rules.ts";
import { selects, type Labelled } from "./labels.ts";
import { decidePort, type Holds } from "./holds.ts";
import type { PeerPolicies } from "./peer-policies.ts";
import type { ServerDecision } from "./server-mode.ts";
import { endpointPort, type ServiceEndpoint, type Services } from "./services.ts";

export interface MeshPolicy {
  readonly config: MeshConfig;
  /** Its name. */
  readonly trustDomain: string;
  readonly peers: PeerPolicies;
  readonly rules: DestinationRules;
  readonly services: Services;
  /** Of the flips that are under way: no client is told by it what to send. */
  readonly holds?: Holds;
}

export interface CallTarget {
  /** Fully qualified, lower case. */
  readonly host: string;
  /** The service's. */
  readonly port: number;
  /** "" for none. */
  readonly subset: string;
}

export interface DecidedCall {
  readonly endpoint: ServiceEndpoint;
  readonly address: string;
  /** Where it listens. */
  readonly port: number;
  /** Undefined outside of the mesh. */
  readonly server: ServerDecision | undefined;
  readonly client: ClientDecision;
}

export type CallsAnswer =
  | { readonly kind: "unknown-host" }
  | { readonly kind: "unknown-port"; readonly ports: readonly number[] }
  | {
      readonly kind: "known";
      readonly service: ServiceEntry;
      readonly port: ServicePort;
      readonly calls: readonly DecidedCall[];
    };

export function decideCalls(mesh: MeshPolicy, client: Labelled, target: CallTarget): CallsAnswer {
  const seen = mesh.services.seen(target.host, client.namespace);
  const [nearest] = seen;
  if (nearest === undefined) return { kind: "unknown-host" };
  const service = seen.find(({ ports }) => ports.some(({ number }) => number === target.port));
  const port = service?.ports.find(({ number }) => number === target.port);
  if (service === undefined || port === undefined) {
    return { kind: "unknown-port", ports: nearest.ports.map(({ number }) => number) };
  }
  const calls = decideServiceCalls(mesh, client, { ...target, service, port });
  return { kind: "known", service, port, calls };
}

export interface ServiceTarget {
  readonly service: ServiceEntry;
  readonly port: ServicePort;
  /** One of the service's. */
  readonly host: string;
  /** "" for none. */
  readonly subset: string;
}

/** Where it is known which of the services of a host is called. */
export function decideServiceCalls(
  mesh: MeshPolicy,
  client: Labelled,
  target: ServiceTarget,
): readonly DecidedCall[] {
  const { services, rules } = mesh;
  const { service, port } = target;
  const rule = rules.ruleFor(client, target.host, service.ref.namespace);
  const subset = rule?.subsets.find(({ name }) => name === target.subset);
  const endpoints = services.reached(service, target.host);
  const identities = identitiesOf(mesh.trustDomain, service, endpoints);
  return endpoints
    .filter(({ endpoint: { labels } }) => subset === undefined || selects(subset.labels, labels))
    .map((each): DecidedCall => {
      const { endpoint, namespace } = each;
      const at = endpointPort(endpoint, port);
      const { labels } = endpoint;
      const server = service.isInternal
        ? decidePort(mesh, { namespace, labels, name: each.ref?.name }, at)
        : undefined;
      const called = { takesMeshTls: takesMeshTls(endpoint), mode: server?.mode };
      const { ref, isInternal, subjectAltNames } = service;
      const of = { ref, host: target.host, port, isInternal, identities, subjectAltNames };
      const { enableAutoMtls } = mesh.config;
      const call = { service: of, subset: target.subset, endpoint: called, rule, enableAutoMtls };
      return {
        endpoint: each,
        address: endpoint.address,
        port: at,
        server,
        client: clientDecision(call),
      };
    });
}

/** Of all endpoints, whatever their subset: Istio's secure naming. */
export function identitiesOf(
  trustDomain: string,
  { subjectAltNames }: ServiceEntry,
  endpoints: readonly ServiceEndpoint[],
): readonly string[] {
  const accounts = endpoints.flatMap(({ namespace, endpoint: { serviceAccount } }) =>
    serviceAccount === "" ? [] : [`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`],
  );
  return [...new Set([...accounts, ...subjectAltNames])].toSorted();
}
