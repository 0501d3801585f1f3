/** The facts of the cluster's PeerAuthentications, from what the server knows of its proxies and of whoever calls them. */

import { refKey } from "../../../../core/resources/policy-object.ts";
import { policyKinds } from "../../../../edge/kube/read/read-policy-objects.ts";
import type { Parts } from "../../parts.ts";
import type { Policy } from "../../policy/open-policy.ts";
import type { Kube } from "../kube.ts";
import { openGuardJudge } from "../guard/open-guard-judge.ts";
import { PolicyFactsSource } from "./policy-facts.ts";
import { proxyShares } from "./proxy-shares.ts";

export interface OpenPolicyFactsOptions {
  readonly policy: Policy;
  readonly kube: Pick<Kube, "caches">;
  /** Unix */
  readonly wallMs: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** @returns undefined where PeerAuthentications are not watched */
export function openPolicyFacts(
  parts: Pick<Parts, "live" | "keeper">,
  { policy, kube, wallMs, nowMs }: OpenPolicyFactsOptions,
): PolicyFactsSource | undefined {
  const { control, resources } = policy;
  const at = policyKinds.findIndex(({ kind }) => kind === "PeerAuthentication");
  const watch = kube.caches.policies[at];
  if (watch === undefined) return undefined;
  return new PolicyFactsSource({
    watch,
    inForce: (name) => {
      const ref = { kind: "PeerAuthentication", ...name } as const;
      const found = resources.set.find(refKey(ref))?.object;
      return found?.kind === "PeerAuthentication" ? found.object : undefined;
    },
    problems: () => resources.set.problems,
    shares: () => proxyShares(control, parts.keeper.proven.nowMs()),
    judge: openGuardJudge(parts, { policy, nowMs: wallMs }),
    onPolicies: (listener) =>
      resources.set.onChange(({ set, deleted }) => {
        const refs = [...set.map(({ object }) => object.ref), ...deleted];
        const policies = refs.filter(({ kind }) => kind === "PeerAuthentication");
        if (policies.length > 0) listener(policies);
      }),
    onProxy: (listener) => control.onProxy(() => listener()),
    nowMs,
  });
}
