/** Service and EndpointSlice (`discovery.k8s.io/v1`): which host there is, and who answers for it where. */

import type { Labels } from "../resources/resource.ts";
import type { Protocol } from "../resources/service-entry.ts";
import type { KubeObject } from "./kube-object.ts";

export interface KubeServicePort {
  readonly number: number;
  /** "" for the only one of a service. */
  readonly name: string;
  /** Of TCP; others are left out where it is read. */
  readonly protocol: Protocol;
  /** Undefined where it is a name, which means another number on each pod. */
  readonly targetPort: number | undefined;
}

export interface KubeService extends KubeObject {
  readonly createdMs: number | undefined;
  /** Empty: headless, or a name elsewhere. */
  readonly clusterIPs: readonly string[];
  readonly ports: readonly KubeServicePort[];
  /** Empty: its endpoints are written by somebody. */
  readonly selector: Labels;
  /** Of type ExternalName; undefined for others. */
  readonly externalName: string | undefined;
  /** Of Istio's annotation `networking.istio.io/exportTo`. */
  readonly exportTo: readonly string[];
  readonly publishesNotReady: boolean;
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** By `targetRef`, in the slice's namespace; undefined where it is none. */
  readonly podName: string | undefined;
  /** Where nobody has said, it is (Kubernetes: "EndpointSlice conditions"). */
  readonly isReady: boolean;
}

export interface EndpointSlice extends KubeObject {
  /** By its label `kubernetes.io/service-name`; "" for none. */
  readonly serviceName: string;
  readonly endpoints: readonly SliceEndpoint[];
  /** By the service's port's name; those that are known, of TCP. */
  readonly ports: ReadonlyMap<string, number>;
}
