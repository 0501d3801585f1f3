/**
 * Workloads that no policy can tell apart, as one: those of a namespace with the same labels. What their ports take, which Sidecar
 * they have and whom they call is decided once for all of them.
 */

import type { Labels } from "../resources/resource.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import { labelsKey, pairsOf, selects, type Labelled } from "./labels.ts";
import { MultiMap } from "./multi-map.ts";
import type { OutboundView } from "./outbound-view.ts";
import type { PortModes } from "./proxy-policy.ts";

export interface WorkloadClass extends Labelled {
  readonly key: string;
  /** How many proxies and endpoints are of it. */
  users: number;
  modes: PortModes;
  /** The two are kept for classes with proxies only. */
  sidecar: Sidecar | undefined;
  view: OutboundView | undefined;
}

export class WorkloadClasses {
  readonly #modesOf: (workload: Labelled) => PortModes;
  readonly #byKey = new Map<string, WorkloadClass>();
  readonly #namespaces = new MultiMap<string, WorkloadClass>();
  /** By each of their labels. */
  readonly #labelled = new MultiMap<string, WorkloadClass>();

  /** @param modesOf what a workload's ports take now */
  constructor(modesOf: (workload: Labelled) => PortModes) {
    this.#modesOf = modesOf;
  }

  find({ namespace, labels }: Labelled): WorkloadClass | undefined {
    return this.#byKey.get(`${namespace}/${labelsKey(labels)}`);
  }

  /** For one user more. */
  acquire({ namespace, labels }: Labelled): WorkloadClass {
    const key = `${namespace}/${labelsKey(labels)}`;
    const there = this.#byKey.get(key);
    if (there !== undefined) {
      there.users++;
      return there;
    }
    const modes = this.#modesOf({ namespace, labels });
    const made = { key, namespace, labels, users: 1, modes, sidecar: undefined, view: undefined };
    this.#byKey.set(key, made);
    this.#namespaces.add(namespace, made);
    for (const pair of pairsOf(made)) this.#labelled.add(pair, made);
    return made;
  }

  /** @returns whether it was the last user's */
  release(of: WorkloadClass): boolean {
    of.users--;
    if (of.users > 0) return false;
    this.#byKey.delete(of.key);
    this.#namespaces.delete(of.namespace, of);
    for (const pair of pairsOf(of)) this.#labelled.delete(pair, of);
    return true;
  }

  all(): Iterable<WorkloadClass> {
    return this.#byKey.values();
  }

  /** Of a namespace; an empty selector selects all. */
  selected(namespace: string, selector: Labels): readonly WorkloadClass[] {
    const [label] = pairsOf({ namespace, labels: selector });
    const some = label === undefined ? this.#namespaces.of(namespace) : this.#labelled.of(label);
    return Array.from(some).filter(({ labels }) => selects(selector, labels));
  }
}
