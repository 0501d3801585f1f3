/** PeerAuthentication (`security.istio.io/v1`, `v1beta1`): what a workload's ports take. */

import type { Labels, Resource } from "./resource.ts";

/** As it is written. UNSET inherits from the next wider scope; the widest inherits PERMISSIVE. */
export type PeerMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerAuthentication extends Resource {
  /** Empty: all of the namespace, or of the mesh if that is the root namespace. */
  readonly selector: Labels;
  readonly mode: PeerMode;
  /** By the workload's port, not the service's; only with a selector. */
  readonly ports: ReadonlyMap<number, PeerMode>;
  /** What stands where the date is to be until which it is permissive, and is none. */
  readonly unreadableUntil?: string;
}
