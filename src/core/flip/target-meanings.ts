/** What a name of a target can mean: each object that has it, with whom it selects, or why nobody can be made strict by it. */

import { selects } from "../policy/labels.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { nameKey, shownName, type Labels, type Resource } from "../resources/resource.ts";
import { FlipError, listed } from "./flip-error.ts";
import type { TargetKind, TargetText } from "./target-text.ts";

export interface Meaning {
  readonly kind: TargetKind;
  /** Or why nothing can be made strict by it. */
  readonly selector: Labels | FlipError;
}

/** In the order in which a name is looked for. */
export function meaningsOf(view: MeshView, written: TargetText): readonly Meaning[] {
  const { peers, services, workloads } = view.objects;
  const { namespace, name } = written;
  const isIt = ({ ref }: Resource): boolean => ref.namespace === namespace && ref.name === name;
  const [peer, entry, workload] = [peers.find(isIt), services.find(isIt), workloads.find(isIt)];
  const service = services.find(
    ({ ref: { namespace: its, standsFor } }) =>
      its === namespace && standsFor?.kind === "Service" && standsFor.name === name,
  );
  const meanings: Meaning[] = [];
  if (peer !== undefined) {
    const whole = `it is for all of the namespace: ${namespace}`;
    meanings.push({
      kind: "peerauthentication",
      selector: named(peer.selector) ?? withoutSelector("PeerAuthentication", written, whole),
    });
  }
  if (entry !== undefined) {
    const others = "its endpoints are written into it: name their workloads, or give it a selector";
    meanings.push({
      kind: "serviceentry",
      selector: named(entry.workloadSelector) ?? withoutSelector("ServiceEntry", written, others),
    });
  }
  if (service !== undefined) {
    const others = "others write who answers for it: name the workloads";
    meanings.push({
      kind: "service",
      selector: named(service.workloadSelector) ?? withoutSelector("Service", written, others),
    });
  }
  if (workload !== undefined) {
    meanings.push({ kind: "workloadentry", selector: ownSelector(view, written, workload.labels) });
  }
  return meanings;
}

function named(selector: Labels): Labels | undefined {
  return selector.size === 0 ? undefined : selector;
}

/** Of one workload alone. */
function ownSelector(view: MeshView, written: TargetText, labels: Labels): Labels | FlipError {
  const { namespace, name } = written;
  if (labels.size === 0) {
    const hint = "no policy can select it alone: give it a label, such as app";
    return withoutSelector("WorkloadEntry", written, hint);
  }
  const others = view
    .selected(namespace, labels)
    .flatMap(({ workloads }) => workloads.map(({ ref }) => nameKey(ref)))
    .filter((each) => each !== `${namespace}/${name}`);
  if (others.length === 0) return labels;
  const isOf = (selector: Labels): boolean => selector.size > 0 && selects(selector, labels);
  const { peers, services } = view.objects;
  const [all] = [
    ...services.filter(
      ({ ref, workloadSelector: its }) => ref.namespace === namespace && isOf(its),
    ),
    ...peers.filter(({ ref, selector: its }) => ref.namespace === namespace && isOf(its)),
  ];
  const alone = "for it alone, give it a label of its own";
  return new FlipError(
    "target-selects-others",
    `expected a workload with labels of its own, got ${namespace}/${name}, whose labels select ${listed(others)}, too`,
    {
      hint:
        all === undefined
          ? `who has which labels: portcullis get -n ${namespace}; ${alone}`
          : `for all of them: portcullis mtls check ${shownName(all.ref)}; ${alone}`,
    },
  );
}

function withoutSelector(kind: string, { namespace, name }: TargetText, hint: string): FlipError {
  const message = `expected an object that selects workloads, got ${kind} ${namespace}/${name}`;
  return new FlipError("target-without-selector", message, { hint });
}
