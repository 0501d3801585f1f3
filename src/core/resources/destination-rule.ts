/** DestinationRule (`networking.istio.io/v1`, `v1beta1`, `v1alpha3`): what clients send to a host, as far as it is about TLS. */

import type { ClientTls } from "./client-tls.ts";
import type { Labels, Resource } from "./resource.ts";

export interface TrafficPolicy {
  readonly tls: ClientTls | undefined;
  /** By the service's port: stands in the place of `tls`, also where it says nothing of TLS. */
  readonly ports: ReadonlyMap<number, ClientTls | undefined>;
}

export interface Subset {
  readonly name: string;
  readonly labels: Labels;
  readonly traffic: TrafficPolicy | undefined;
}

export interface DestinationRule extends Resource {
  /** Fully qualified, or with a leading `*.`; lower case. */
  readonly host: string;
  readonly traffic: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Of the clients that it is for; empty: all that see it. */
  readonly workloadSelector: Labels;
  /** Namespaces that see it: `.` its own, `*` all; empty: all. */
  readonly exportTo: readonly string[];
}
