/**
 * All DestinationRules, as a client looks for the one that counts: in its own namespace, then in the service's, then in the root
 * namespace; the most specific host first; one that selects the client before one that is for all. Those of one host are one rule
 * (Istio merges them, the oldest first).
 */

import type { DestinationRule } from "../resources/destination-rule.ts";
import { compareAge, nameKey, type ResourceName } from "../resources/resource.ts";
import { isExportedTo } from "./export-to.ts";
import { selects, type Labelled } from "./labels.ts";
import { mergeRules, type MergedRule } from "./merged-rule.ts";

export class DestinationRules {
  readonly rootNamespace: string;
  /** By namespace, host and name. */
  readonly #namespaces = new Map<string, Map<string, Map<string, DestinationRule>>>();
  readonly #hosts = new Map<string, string>();

  constructor(rootNamespace: string, rules: Iterable<DestinationRule> = []) {
    this.rootNamespace = rootNamespace;
    for (const rule of rules) this.set(rule);
  }

  /** In the place of the one of its name. */
  set(rule: DestinationRule): void {
    this.delete(rule.ref);
    const { namespace, name } = rule.ref;
    const hosts =
      this.#namespaces.get(namespace) ?? new Map<string, Map<string, DestinationRule>>();
    const same = hosts.get(rule.host) ?? new Map<string, DestinationRule>();
    this.#namespaces.set(namespace, hosts.set(rule.host, same.set(name, rule)));
    this.#hosts.set(nameKey({ namespace, name }), rule.host);
  }

  delete({ namespace, name }: ResourceName): void {
    const host = this.#hosts.get(nameKey({ namespace, name }));
    const hosts = this.#namespaces.get(namespace);
    if (host === undefined || hosts === undefined) return;
    this.#hosts.delete(nameKey({ namespace, name }));
    const same = hosts.get(host);
    same?.delete(name);
    if (same?.size === 0) hosts.delete(host);
    if (hosts.size === 0) this.#namespaces.delete(namespace);
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
        const rules = Array.from(hosts.get(pattern)?.values() ?? [])
          .filter((rule) => isExportedTo(rule, client.namespace))
          .toSorted(compareAge);
        const rule = countingOf(rules, client, namespace);
        if (rule !== undefined) return rule;
      }
    }
    return undefined;
  }
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
