/** What the configuration says of a flip's target, decided once for each configuration: a target may have thousands of workloads. */

import { compareText } from "../../../core/compare-text.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import {
  objectOf,
  objectSays,
  overrulersOf,
  type ObjectSays,
} from "../../../core/flip/object-says.ts";
import { selectorOf, type FlipTarget } from "../../../core/flip/target.ts";
import type { MeshView } from "../../../core/policy/mesh-view.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import { takesMeshTls } from "../../../core/resources/workload-entry.ts";
import { askedPorts, type AskedPorts } from "./asked-ports.ts";

export interface TargetFacts {
  readonly target: FlipTarget;
  readonly asked: AskedPorts;
  readonly object: ObjectSays;
  /** Of an object that is `overruled`. */
  readonly overruledBy: readonly string[];
  readonly isObjectThere: boolean;
  /** By name. */
  readonly labels: ReadonlyMap<string, Labels>;
  /** Names of those with a proxy, as their entries say; sorted. */
  readonly workloads: readonly string[];
}

export function targetFacts(view: MeshView, flip: Flip): TargetFacts {
  const { target } = flip;
  const object = objectSays(flip, view);
  const asked = askedPorts(view, target, flip);
  const entries = view
    .selected(target.namespace, selectorOf(target))
    .filter(({ labels }) => asked.isMember(labels))
    .flatMap(({ workloads }) => workloads);
  return {
    target,
    asked,
    object,
    overruledBy: object === "overruled" ? overrulersOf(flip, view) : [],
    isObjectThere: objectOf(flip, view) !== undefined,
    labels: new Map(entries.map(({ ref, labels }) => [nameKey(ref), labels])),
    workloads: entries
      .filter(takesMeshTls)
      .map(({ ref }) => nameKey(ref))
      .toSorted(compareText),
  };
}

/** Kept as long as the configuration and the flip's target are the same. */
export class KnownFacts {
  #view: MeshView | undefined;
  #facts: TargetFacts | undefined;

  /** @param flip the same one each time, however far it is */
  of(view: MeshView, flip: Flip): TargetFacts {
    if (this.#facts === undefined || this.#view !== view) this.#facts = targetFacts(view, flip);
    this.#view = view;
    return this.#facts;
  }
}
