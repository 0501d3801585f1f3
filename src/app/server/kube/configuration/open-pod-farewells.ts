/** Pods that end, from the cluster's watch to all who wait for their agents. */

import { agentKey } from "../../../../core/roll/leaf-owners.ts";
import type { Parts } from "../../parts.ts";
import type { PolicyControl } from "../../policy/policy-control.ts";
import type { KubeConfiguration } from "./kube-configuration.ts";
import { PodFarewells } from "./pod-farewells.ts";

export interface OpenPodFarewellsOptions {
  readonly cluster: Pick<KubeConfiguration, "pods">;
  readonly control: Pick<PolicyControl, "goodbye">;
  readonly trustDomain: string;
  readonly nowMs: () => number;
}

/** @param owned ends it */
export function openPodFarewells(
  parts: Pick<Parts, "transparency" | "keeper" | "evidence" | "roll" | "meshEvents">,
  { cluster, control, trustDomain, nowMs }: OpenPodFarewellsOptions,
  owned: AsyncDisposableStack,
): void {
  const { transparency, keeper, evidence, roll, meshEvents } = parts;
  const farewells = owned.use(
    new PodFarewells({
      trustDomain,
      certificates: transparency.reader.certificates,
      record: (event) => keeper.event(event),
      hasSaid: (serialHex) => evidence.farewells.hasSaid(serialHex),
      isConnected: ({ spiffeId, agentId }) =>
        roll.agent(agentKey(spiffeId, agentId))?.connected === true,
      gone: (reporter, leaving) => {
        evidence.view.goodbye(reporter, [leaving]);
        control.goodbye(reporter);
      },
      onFailed: (spiffeId, error) => meshEvents.goodbyeNotWritten({ spiffeId, agentId: "" }, error),
      nowMs,
    }),
  );
  owned.use(cluster.pods.onChange((changes) => farewells.take(changes)));
}
