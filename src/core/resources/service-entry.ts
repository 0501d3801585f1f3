/** ServiceEntry (`networking.istio.io/v1`, `v1beta1`, `v1alpha3`): hosts that clients may call, in the mesh or outside. */

import type { Labels, Resource } from "./resource.ts";
import type { Endpoint } from "./workload-entry.ts";

export type Protocol = "TCP" | "TLS" | "HTTP" | "HTTP2" | "GRPC" | "HTTPS" | "AUTO";

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** On the endpoint; undefined: the same number. */
  readonly targetPort: number | undefined;
}

export type Resolution = "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN";

export interface ServiceEntry extends Resource {
  /** Lower case; with a leading `*.` for all below. */
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly isInternal: boolean;
  readonly resolution: Resolution;
  readonly endpoints: readonly Endpoint[];
  /** Of WorkloadEntries of its namespace; empty: `endpoints` are written. */
  readonly workloadSelector: Labels;
  readonly subjectAltNames: readonly string[];
  readonly exportTo: readonly string[];
  /** Also endpoints that are not ready are called (Kubernetes: `publishNotReadyAddresses`). */
  readonly callsUnready?: boolean;
}
