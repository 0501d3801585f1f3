/** WorkloadEntry (`networking.istio.io/v1`, `v1beta1`, `v1alpha3`): an instance of a workload, where it is and as whom it runs. */

import type { Labels, Resource } from "./resource.ts";

export interface Endpoint {
  /** An IP address, a name (of DNS), or `unix:///PATH`. */
  readonly address: string;
  /** By the name of the service's port; what is not named has the service's target port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly labels: Labels;
  /** "" for none. */
  readonly serviceAccount: string;
  readonly network: string;
  readonly locality: string;
  readonly weight: number;
  /** False of a pod that says so: clients do not call it. Whoever does not say is ready. */
  readonly isReady?: boolean;
}

export interface WorkloadEntry extends Resource, Endpoint {}

const tlsModeLabel = "security.istio.io/tlsMode";

/** Istio's rule: the label if it is written, else whether there is an identity to expect. */
export function takesMeshTls({ labels, serviceAccount }: Endpoint): boolean {
  const written = labels.get(tlsModeLabel);
  return written === undefined ? serviceAccount !== "" : written === "istio";
}
