/** Who is selected, without asking everybody. */

import type { Labels } from "../resources/resource.ts";
import { pairsOf, selects, type Labelled } from "./labels.ts";

/** By each label: whoever has a selector's rarest one is asked for the others. */
export class LabelIndex<Item extends Labelled> {
  readonly #byNamespace = new Map<string, Item[]>();
  readonly #byLabel = new Map<string, Item[]>();

  constructor(items: Iterable<Item>) {
    for (const item of items) {
      put(this.#byNamespace, item.namespace, item);
      for (const pair of pairsOf(item)) put(this.#byLabel, pair, item);
    }
  }

  of(namespace: string): readonly Item[] {
    return this.#byNamespace.get(namespace) ?? [];
  }

  /** An empty selector selects all of the namespace. */
  selected(namespace: string, selector: Labels): readonly Item[] {
    let fewest = this.of(namespace);
    for (const pair of pairsOf({ namespace, labels: selector })) {
      const having = this.#byLabel.get(pair) ?? [];
      if (having.length < fewest.length) fewest = having;
    }
    return fewest.filter(({ labels }) => selects(selector, labels));
  }
}

function put<Item>(index: Map<string, Item[]>, key: string, item: Item): void {
  const all = index.get(key);
  if (all === undefined) index.set(key, [item]);
  else all.push(item);
}
