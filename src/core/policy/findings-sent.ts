/** What DestinationRules send to whom does not take it. */

import type { DestinationRule } from "../resources/destination-rule.ts";
import type { Labels } from "../resources/resource.ts";
import { ruleTls } from "./client-rule.ts";
import type { Finding } from "./finding.ts";
import type { VerdictReason } from "./explain-verdict.ts";
import type { EndpointFacts } from "./findings-endpoints.ts";
import { firstOf, warn } from "./findings-words.ts";
import { mergeRules } from "./merged-rule.ts";
import type { ServiceHost } from "./mesh-view.ts";

const problemWords: Readonly<
  Partial<Record<VerdictReason, readonly [text: string, hint: string]>>
> = {
  "plaintext-to-strict": [
    "it sends plaintext to ports that take mTLS only; they refuse it",
    "take the tls away or say ISTIO_MUTUAL, or let the ports be PERMISSIVE",
  ],
  "tls-to-strict": [
    "it sends TLS without a certificate of the mesh to ports that demand one",
    "say ISTIO_MUTUAL, or let the ports be PERMISSIVE",
  ],
  "tls-to-http": [
    "it sends TLS to HTTP ports whose proxy would have to end it, and does not",
    "say ISTIO_MUTUAL, or let the service's port be TLS or TCP",
  ],
  "mtls-to-disabled": [
    "it sends mTLS to ports where it is disabled, and nobody there ends it",
    "take the tls away, or let the ports be PERMISSIVE",
  ],
  "mtls-to-no-proxy": [
    "it sends mTLS to endpoints without a proxy of the mesh",
    "take the tls away: who has a proxy gets mTLS by itself",
  ],
  "identity-mismatch": [
    "its subjectAltNames lack the identity of endpoints; the client refuses them",
    "add spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT, or take subjectAltNames away",
  ],
};

/** @param isTrafficIgnored an older rule's stands in its place */
export function sentFindings(
  facts: EndpointFacts,
  rule: DestinationRule,
  called: readonly ServiceHost[],
  isTrafficIgnored: boolean,
): readonly Finding[] {
  const merged = mergeRules([rule]);
  const asked: readonly { readonly name: string; readonly labels: Labels }[] = [
    ...(isTrafficIgnored ? [] : [{ name: "", labels: new Map() }]),
    ...rule.subsets.filter(({ traffic }) => traffic !== undefined),
  ];
  return asked.flatMap(({ name, labels }) => {
    const found = new Map<VerdictReason, Set<string>>();
    for (const { service } of called) {
      for (const port of service.ports) {
        const [said] = ruleTls(merged, port.number, name);
        // What a subset has of the rule is the rule's finding.
        const isOwn = name === "" || said?.level.startsWith("subset") === true;
        if (said?.tls === undefined || !isOwn) continue;
        for (const [problem, names] of facts.problems(service, port, said.tls, labels)) {
          found.set(problem, (found.get(problem) ?? new Set()).union(new Set(names)));
        }
      }
    }
    const at = rule.subsets.findIndex((each) => each.name === name);
    const path = at === -1 ? "spec.trafficPolicy" : `spec.subsets[${at}].trafficPolicy`;
    return Array.from(found, ([problem, names]) => {
      const [text = problem, hint] = problemWords[problem] ?? [];
      return warn(problem, rule.ref, path, `${text}: ${firstOf([...names])}`, hint);
    });
  });
}
