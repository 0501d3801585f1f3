/**
 * Which workload an Envoy is. The identity is its certificate's, verified; the name is its node id, claimed; so are labels, which count
 * only where no WorkloadEntry of that name, namespace and service account says others: they can only decide about the proxy itself.
 */

import type { Labels } from "../resources/resource.ts";

export interface ProxyIdentity {
  /** Names it for ever: who reports it, as whom, and under which node id. */
  readonly key: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly nodeId: string;
  /** From the Envoy's node metadata. */
  readonly claimedLabels: Labels;
}
