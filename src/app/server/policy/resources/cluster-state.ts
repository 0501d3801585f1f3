/**
 * What of a cluster's objects is in force: the last that is known to be good, of each object and of each kind. What the watch has not
 * listed is not empty, and a kind whose definition is gone took its objects with it: nobody has deleted them. Pure.
 */

import {
  nameKey,
  type ResourceKind,
  type ResourceRef,
} from "../../../../core/resources/resource.ts";
import {
  hasErrors,
  manifestLimits,
  type LoadedObject,
  type ManifestProblem,
} from "../../../../edge/resources/manifest.ts";
import { clusterOrigin, type StoredObject } from "./stored-object.ts";
import type { StoredByKey } from "./resource-set.ts";

export interface SeenManifest {
  readonly namespace: string;
  readonly name: string;
  /** Undefined where it cannot be read. */
  readonly loaded: LoadedObject | undefined;
  readonly problems: readonly ManifestProblem[];
}

export interface SeenKind {
  readonly kind: ResourceKind;
  /**
   * `listed`: all that there is. `unlisted`: it is not known what there is. `absent`: the API server does not know the kind. `emptied`: the
   * last of them has gone just now, as they do where the kind is taken away.
   */
  readonly is: "listed" | "unlisted" | "absent" | "emptied";
  readonly manifests: Iterable<SeenManifest>;
  /** By `nameKey`, of what was listed before and is no more: it is not known why, and it holds. */
  readonly stays?: ReadonlySet<string>;
}

export interface ClusterState {
  readonly objects: readonly LoadedObject[];
  /** As they were before. */
  readonly kept: readonly StoredObject[];
  readonly problems: readonly ManifestProblem[];
}

/** Of one kind. */
const problemsMax = 200;

/** @param before the layer. @param max objects in all */
export function clusterStateAfter(
  before: StoredByKey,
  kinds: readonly SeenKind[],
  max: number = manifestLimits.objects,
): ClusterState {
  const known = Map.groupBy(before.values(), ({ object }) => object.kind);
  const found = kinds.map((each) => stateOf(each, known.get(each.kind) ?? []));
  const kept = found.flatMap((each) => each.kept);
  const objects = found.flatMap((each) => each.objects);
  const problems = found.flatMap((each) => each.problems);
  const room = max - kept.length;
  if (objects.length <= room) return { objects, kept, problems };
  return { ...cutTo(room, objects, before), kept, problems: [...problems, fullProblem(max)] };
}

function stateOf(
  { kind, is, manifests, stays }: SeenKind,
  before: readonly StoredObject[],
): ClusterState {
  if (is !== "listed") {
    const isLost = is === "absent" && before.length > 0;
    return {
      objects: [],
      kept: before,
      problems: isLost ? [absentProblem(kind, before.length)] : [],
    };
  }
  const lastGood = new Map(before.map((each) => [nameKey(each.object.object.ref), each]));
  const objects: LoadedObject[] = [];
  const kept = before.filter(({ object }) => stays?.has(nameKey(object.object.ref)));
  const problems: ManifestProblem[] = [];
  for (const each of manifests) {
    const { namespace, name, loaded } = each;
    const last = lastGood.get(nameKey(each));
    if (loaded !== undefined) objects.push(loaded);
    else if (last !== undefined) kept.push(last);
    const ref = loaded?.object.object.ref ?? { kind, namespace, name };
    if (problems.length < problemsMax) problems.push(...problemsOf(each, ref, last !== undefined));
  }
  return { objects, kept, problems };
}

function problemsOf(
  { problems, loaded }: SeenManifest,
  ref: ResourceRef,
  hasLast: boolean,
): readonly ManifestProblem[] {
  const named = problems.map((each) => ({ ...each, ref: each.ref ?? ref, origin: clusterOrigin }));
  if (loaded !== undefined || !hasErrors(named)) return named;
  const stays = hasLast ? "; what it said before holds" : "; it does not count";
  return named.map((each) =>
    each.severity === "error" ? { ...each, text: `${each.text}${stays}` } : each,
  );
}

function absentProblem(kind: ResourceKind, count: number): ManifestProblem {
  const are = count === 1 ? "the one that it had holds" : `the ${count} that it had hold`;
  return {
    severity: "warning",
    code: "cluster-kind-absent",
    ref: undefined,
    path: "",
    text: `the cluster does not know ${kind} any more: ${are}`,
    hint: "install Istio's definitions (CRDs) again; if it is meant so, a start with --kubernetes off forgets them",
    origin: clusterOrigin,
  };
}

/** Those that hold already stay before those that are new. */
function cutTo(
  room: number,
  objects: readonly LoadedObject[],
  before: StoredByKey,
): Pick<ClusterState, "objects"> {
  const isKnown = ({ object: { kind, object } }: LoadedObject): boolean =>
    before.has(`${kind}/${nameKey(object.ref)}`);
  const [known, others] = [objects.filter(isKnown), objects.filter((each) => !isKnown(each))];
  return { objects: [...known, ...others].slice(0, Math.max(0, room)) };
}

function fullProblem(max: number): ManifestProblem {
  return {
    severity: "error",
    code: "cluster-too-large",
    ref: undefined,
    path: "",
    text: `expected at most ${max} objects of the mesh's configuration, got more: the newest of them do not count`,
    hint: "delete some of them",
    origin: clusterOrigin,
  };
}
