/** Where the conditions of the cluster's PeerAuthentications come from. */

import type { PolicyFacts } from "../../../../core/kube/writes/conditions.ts";
import type { ResourceName } from "../../../../core/resources/resource.ts";

export interface PolicyConditionsSource {
  /** @returns undefined for one that does not stand in the cluster. @param signal ends it */
  conditionsOf(name: ResourceName, signal: AbortSignal): Promise<PolicyFacts | undefined>;
  /** All that stand in the cluster. */
  names(): Iterable<ResourceName>;
  /** @param listener told whose facts may be others; undefined: all */
  onChange(listener: (names: readonly ResourceName[] | undefined) => void): Disposable;
}
