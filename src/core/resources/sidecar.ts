/** Sidecar (`networking.istio.io/v1`, `v1beta1`, `v1alpha3`): which ports a workload's proxy has, and whom it may call. */

import type { Labels, Resource } from "./resource.ts";
import type { Protocol } from "./service-entry.ts";

export interface SidecarPort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
}

export interface IngressListener {
  readonly port: SidecarPort;
  /** An IP address; "" for all. */
  readonly bind: string;
  /** `127.0.0.1:PORT`, `[::1]:PORT`, `0.0.0.0:PORT` or `unix:///PATH`. */
  readonly defaultEndpoint: string;
}

export interface EgressListener {
  /** Undefined: it says only who may be called. */
  readonly port: SidecarPort | undefined;
  readonly bind: string;
  /** `NAMESPACE/HOST`, either may be `*`; `.` is its own namespace, `~` none. */
  readonly hosts: readonly string[];
}

export interface Sidecar extends Resource {
  /** Empty: all of the namespace, or of the mesh if that is the root namespace. */
  readonly workloadSelector: Labels;
  readonly ingress: readonly IngressListener[];
  /** Undefined: everybody that is seen. */
  readonly egress: readonly EgressListener[] | undefined;
}
