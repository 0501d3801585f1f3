/**
 * All DestinationRules, as a client looks for the one that counts: in its own namespace, then in the service's, then in the root
 * namespace; the most specific host first; one that selects the client before one that is for all. Those of one host are one rule
 * (Istio merges them, the oldest first).
 */

import type { DestinationRule } from "../resources/destination-rule.ts";
import { compareAge, nameKey, type ResourceName } from "../resources/resource.ts";
import { isExportedTo } from "./export-to.ts";
import { pairsOf, selects, type Labelled } from "./labels.ts";
import { mergeRules, type MergedRule } from "./merged-rule.ts";
import { MultiMap } from "./multi-map.ts";

export class DestinationRules {
  rootNamespace: string;
  readonly #byName = new Map<string, DestinationRule>();
  /** By namespace, then host. */
  readonly #namespaces = new Map<string, MultiMap<string, DestinationRule>>();
  /** Those that are for some clients only: by one of their labels. */
  readonly #selecting = new MultiMap<string, DestinationRule>();

  constructor(rootNamespace: string, rules: Iterable<DestinationRule> = []) {
    this.rootNamespace = rootNamespace;
    for (const rule of rules) this.set(rule);
  }

  /** @returns the one in whose place it is */
  set(rule: DestinationRule): DestinationRule | undefined {
    const old = this.delete(rule.ref);
    const { namespace } = rule.ref;
    this.#byName.set(nameKey(rule.ref), rule);
    const hosts = this.#namespaces.get(namespace) ?? new MultiMap<string, DestinationRule>();
    this.#namespaces.set(namespace, hosts);
    hosts.add(rule.host, rule);
    const label = labelOf(rule);
    if (label !== undefined) this.#selecting.add(label, rule);
    return old;
  }

  /** @returns the one that there was */
  delete(ref: ResourceName): DestinationRule | undefined {
    const rule = this.#byName.get(nameKey(ref));
    if (rule === undefined) return undefined;
    this.#byName.delete(nameKey(ref));
    const hosts = this.#namespaces.get(ref.namespace);
    hosts?.delete(rule.host, rule);
    const label = labelOf(rule);
    if (label !== undefined) this.#selecting.delete(label, rule);
    if (hosts?.isEmpty === true) this.#namespaces.delete(ref.namespace);
    return rule;
  }

  /** The same for clients of a namespace that no rule tells apart. */
  selectionKey(client: Labelled): string {
    const names: string[] = [];
    for (const pair of pairsOf(client)) {
      for (const { ref, workloadSelector } of this.#selecting.of(pair)) {
        if (selects(workloadSelector, client.labels)) names.push(ref.name);
      }
    }
    return names.toSorted().join("/");
  }

  /**
   * @param host fully qualified, lower case; may be a wildcard
   * @param serviceNamespace of the service that has this host
   */
  ruleFor(client: Labelled, host: string, serviceNamespace: string): MergedRule | undefined {
    const places = new Set([client.namespace, serviceNamespace, this.rootNamespace]);
    for (const namespace of places) {
      const hosts = this.#namespaces.get(namespace);
      if (hosts === undefined) continue;
      for (const pattern of patternsOf(host)) {
        const rules = Array.from(hosts.of(pattern))
          .filter((rule) => isExportedTo(rule, client.namespace))
          .toSorted(compareAge);
        if (rules.length === 0) continue;
        const rule = countingOf(rules, client, namespace);
        if (rule !== undefined) return rule;
      }
    }
    return undefined;
  }
}

function labelOf({ ref, workloadSelector }: DestinationRule): string | undefined {
  return pairsOf({ namespace: ref.namespace, labels: workloadSelector })[0];
}

/** The host itself, then the wildcards above it, the longest first. */
function* patternsOf(host: string): Generator<string> {
  yield host;
  const labels = host.split(".");
  for (let at = 1; at < labels.length; at++) yield `*.${labels.slice(at).join(".")}`;
  yield "*";
}

/** A selector is for clients of its own namespace only. */
function countingOf(
  rules: readonly DestinationRule[],
  { namespace, labels }: Labelled,
  ofNamespace: string,
): MergedRule | undefined {
  const selecting = rules.filter(
    ({ workloadSelector }) => workloadSelector.size > 0 && selects(workloadSelector, labels),
  );
  if (namespace === ofNamespace && selecting.length > 0) return mergeRules(selecting);
  const forAll = rules.filter(({ workloadSelector }) => workloadSelector.size === 0);
  return forAll.length === 0 ? undefined : mergeRules(forAll);
}
