/**
 * From how a target is written to whom it selects: a name is a PeerAuthentication's, a ServiceEntry's, a Service's or a
 * workload's, looked for in this order.
 */

import type { MeshView } from "../policy/mesh-view.ts";
import { labelsKey } from "../policy/labels.ts";
import { nameKey, shownName, type Labels, type Resource } from "../resources/resource.ts";
import { FlipError } from "./flip-error.ts";
import { meaningsOf } from "./target-meanings.ts";
import {
  formatTargetText,
  parseTargetText,
  type TargetKind,
  type TargetText,
} from "./target-text.ts";
import { membersOf, selectorOf, type FlipTarget } from "./target.ts";

/** @throws FlipError */
export function resolveTarget(text: string, view: MeshView): FlipTarget {
  const written = parseTargetText(text);
  const { namespace, name, port } = written;
  if (namespace === view.mesh.config.rootNamespace) throw wholeMesh(namespace);
  const selector = name === "" ? namespaceSelector(view, namespace) : nameSelector(view, written);
  const target: FlipTarget = {
    text: formatTargetText(written),
    namespace,
    name,
    selector: Object.fromEntries([...selector].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ports: port === undefined ? [] : [port],
  };
  if (port !== undefined) assertPort(view, target, port);
  return target;
}

/** By another text, where that means the same. */
export function shortestText(view: MeshView, text: string, target: FlipTarget): FlipTarget {
  try {
    const short = resolveTarget(text, view);
    return labelsKey(selectorOf(short)) === labelsKey(selectorOf(target)) ? short : target;
  } catch (error) {
    if (error instanceof FlipError) return target;
    throw error;
  }
}

function nameSelector(view: MeshView, written: TargetText): Labels {
  const all = meaningsOf(view, written).filter(
    ({ kind }) => written.kind === undefined || kind === written.kind,
  );
  const usable = all.flatMap(({ kind, selector }) =>
    selector instanceof FlipError ? [] : [{ kind, selector }],
  );
  const [first] = usable;
  const [unusable] = all;
  if (first === undefined) {
    throw unusable?.selector instanceof FlipError ? unusable.selector : unknown(view, written);
  }
  if (usable.some(({ selector }) => labelsKey(selector) !== labelsKey(first.selector))) {
    throw ambiguous(written, usable);
  }
  return first.selector;
}

function namespaceSelector({ objects }: MeshView, namespace: string): Labels {
  const { workloads, peers, services, sidecars } = objects;
  const names = new Set(
    [workloads, services, sidecars, peers].flatMap((all: readonly Resource[]) =>
      all.map(({ ref }) => ref.namespace),
    ),
  );
  if (names.has(namespace)) return new Map();
  throw new FlipError("target-unknown", `there is nothing in namespace ${namespace}`, {
    hint: "what there is: portcullis get -A",
    candidates: [...names].toSorted(),
  });
}

function assertPort(view: MeshView, target: FlipTarget, port: number): void {
  const { members } = membersOf(view, { ...target, ports: [] });
  const ports = new Set(members.flatMap(({ named }) => named));
  if (members.length === 0 || ports.has(port)) return;
  const known = [...ports].toSorted((a, b) => a - b);
  throw new FlipError(
    "target-port-unknown",
    `expected a port of ${nameKey(target)}, got ${port}, where nothing is known to listen`,
    {
      hint: `a workload's own port, not its service's; known: ${known.join(", ") || "none"}`,
      candidates: known.map(String),
    },
  );
}

function wholeMesh(namespace: string): FlipError {
  return new FlipError(
    "target-is-mesh",
    `expected a namespace or a workload, got ${namespace}, whose policies are the whole mesh's`,
    { hint: "flip one namespace after the other: portcullis mtls plan -n NAMESPACE" },
  );
}

function ambiguous(
  written: TargetText,
  usable: readonly { readonly kind: TargetKind }[],
): FlipError {
  const exact = usable.map(({ kind }) => formatTargetText({ ...written, kind }));
  const plain = formatTargetText({ ...written, port: undefined });
  return new FlipError(
    "target-ambiguous",
    `expected one meaning of ${plain}, got ${usable.length}, which select different workloads`,
    { hint: `say which: ${exact.join(" or ")}`, candidates: exact },
  );
}

function unknown({ objects }: MeshView, written: TargetText): FlipError {
  const { peers, services, workloads } = objects;
  const { namespace, name, kind } = written;
  const refs = [
    ...peers.filter(({ selector }) => selector.size > 0),
    ...services.filter(({ workloadSelector }) => workloadSelector.size > 0),
    ...workloads,
  ].map(({ ref }) => ref);
  const here = refs.filter((ref) => ref.namespace === namespace);
  const isCluster = here.some(({ standsFor }) => standsFor !== undefined);
  return new FlipError(
    "target-unknown",
    `there is no ${kind ?? "workload, service or policy"} ${namespace}/${name}`,
    {
      hint: `what there is: portcullis get ${isCluster ? "services " : ""}-n ${namespace}`,
      candidates: [...new Set((here.length > 0 ? here : refs).map(shownName))].toSorted(),
    },
  );
}
