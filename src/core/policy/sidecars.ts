/**
 * All Sidecars, as a workload looks for its own: the oldest that selects it, else its namespace's without a selector, else the root
 * namespace's without one.
 */

import { compareAge, nameKey, type ResourceName } from "../resources/resource.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import { pairsOf, selects, type Labelled } from "./labels.ts";
import { MultiMap } from "./multi-map.ts";

export class Sidecars {
  rootNamespace: string;
  readonly #byName = new Map<string, Sidecar>();
  /** By namespace. */
  readonly #wide = new MultiMap<string, Sidecar>();
  /** By one of its labels: whoever is selected has it. */
  readonly #selecting = new MultiMap<string, Sidecar>();

  constructor(rootNamespace: string) {
    this.rootNamespace = rootNamespace;
  }

  /** @returns the one in whose place it is */
  set(sidecar: Sidecar): Sidecar | undefined {
    const old = this.delete(sidecar.ref);
    this.#byName.set(nameKey(sidecar.ref), sidecar);
    const [label] = selectorOf(sidecar);
    if (label === undefined) this.#wide.add(sidecar.ref.namespace, sidecar);
    else this.#selecting.add(label, sidecar);
    return old;
  }

  delete(ref: ResourceName): Sidecar | undefined {
    const old = this.#byName.get(nameKey(ref));
    if (old === undefined) return undefined;
    this.#byName.delete(nameKey(ref));
    const [label] = selectorOf(old);
    if (label === undefined) this.#wide.delete(ref.namespace, old);
    else this.#selecting.delete(label, old);
    return old;
  }

  ofWorkload(workload: Labelled): Sidecar | undefined {
    const selecting = pairsOf(workload)
      .flatMap((pair) => [...this.#selecting.of(pair)])
      .filter(({ workloadSelector }) => selects(workloadSelector, workload.labels));
    return (
      oldest(selecting) ??
      oldest(this.#wide.of(workload.namespace)) ??
      oldest(this.#wide.of(this.rootNamespace))
    );
  }
}

function selectorOf({ ref, workloadSelector }: Sidecar): readonly string[] {
  return pairsOf({ namespace: ref.namespace, labels: workloadSelector });
}

function oldest(sidecars: Iterable<Sidecar>): Sidecar | undefined {
  let found: Sidecar | undefined;
  for (const each of sidecars) {
    if (found === undefined || compareAge(each, found) < 0) found = each;
  }
  return found;
}
