/** Sidecars that are nobody's, and inbound listeners that cannot be, or are weaker than they look. */

import type { Sidecar } from "../resources/sidecar.ts";
import type { Finding } from "./finding.ts";
import { EgressProblems } from "./findings-egress.ts";
import { selectorFindings } from "./findings-selected.ts";
import { firstOf, shadowed, warn, workloadNames } from "./findings-words.ts";
import type { MeshView } from "./mesh-view.ts";

export function sidecarFindings(view: MeshView): readonly Finding[] {
  const egress = new EgressProblems(view);
  return [
    ...view.objects.sidecars.flatMap((sidecar) => [
      ...selectorFindings(view, sidecar, sidecar.workloadSelector, "spec.workloadSelector"),
      ...ingressTwice(sidecar),
      ...withoutProtocol(sidecar),
      ...egress.findings(sidecar),
    ]),
    ...shadowedSidecars(view),
  ];
}

function ingressTwice({ ref, ingress }: Sidecar): readonly Finding[] {
  const seen = new Set<number>();
  return ingress.flatMap(({ port: { number } }, at) => {
    const isTwice = seen.has(number);
    seen.add(number);
    if (!isTwice) return [];
    const text = `port ${number} has a listener already; the first one counts`;
    return [warn("ingress-port-twice", ref, `spec.ingress[${at}].port.number`, text)];
  });
}

function withoutProtocol({ ref, ingress }: Sidecar): readonly Finding[] {
  return ingress.flatMap(({ port: { number, protocol } }, at) => {
    if (protocol !== "AUTO") return [];
    const text = `port ${number} has no protocol: callers choose whether they are taken for HTTP, and x-forwarded-client-cert is theirs to write`;
    const hint = "write protocol: HTTP (HTTP2, GRPC) if that is what it speaks, else TCP or TLS";
    return [warn("ingress-without-protocol", ref, `spec.ingress[${at}].port`, text, hint)];
  });
}

function shadowedSidecars(view: MeshView): readonly Finding[] {
  const found = new Map<Sidecar, Finding>();
  const wide: Sidecar[] = [];
  for (const sidecar of view.objects.sidecars) {
    const { ref, workloadSelector } = sidecar;
    if (workloadSelector.size === 0) wide.push(sidecar);
    else {
      for (const group of view.selected(ref.namespace, workloadSelector)) {
        const winner = view.sidecarOf(group);
        if (winner === undefined || winner === sidecar) continue;
        found.set(sidecar, shadowed(winner, sidecar, `for ${firstOf(workloadNames([group]))}`));
        break;
      }
    }
  }
  for (const [namespace, [winner, ...losers]] of Map.groupBy(wide, ({ ref }) => ref.namespace)) {
    for (const loser of winner === undefined ? [] : losers) {
      if (winner !== undefined)
        found.set(loser, shadowed(winner, loser, `for namespace ${namespace}`));
    }
  }
  return [...found.values()];
}
