/** DestinationRules that another one stands in the place of. */

import type { DestinationRule } from "../resources/destination-rule.ts";
import { refKey } from "../resources/policy-object.ts";
import { refWords, type ResourceRef } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import { shadowed, warn } from "./findings-words.ts";
import { mergeRules } from "./merged-rule.ts";
import type { MeshView } from "./mesh-view.ts";

interface HiddenRules {
  readonly findings: readonly Finding[];
  /** Whose traffic policy counts for nobody. */
  readonly ignored: ReadonlySet<DestinationRule>;
}

export function hiddenRules(view: MeshView): HiddenRules {
  const ignored = new Set<DestinationRule>();
  const findings: Finding[] = [];
  const forAll = view.objects.rules.filter(({ workloadSelector }) => workloadSelector.size === 0);
  const same = Map.groupBy(forAll, ({ ref, host }) => `${ref.namespace}/${host}`);
  for (const rules of same.values()) {
    if (rules.length < 2) continue;
    const merged = mergeRules(rules);
    const winner = rules.find(({ ref }) => ref === merged.ref);
    for (const loser of rules.filter(({ ref }) => merged.ignored.includes(ref))) {
      ignored.add(loser);
      if (winner !== undefined) findings.push(shadowed(winner, loser, `for ${loser.host}`));
    }
    findings.push(...hiddenSubsets(rules));
  }
  return {
    findings: [...findings, ...selectedTwice(view), ...hiddenByNearer(view, forAll)],
    ignored,
  };
}

/** @param rules of one host, the oldest first */
function hiddenSubsets(rules: readonly DestinationRule[]): readonly Finding[] {
  const first = new Map<string, ResourceRef>();
  return rules.flatMap(({ ref, subsets }) =>
    subsets.flatMap(({ name }, at) => {
      const by = first.get(name);
      first.set(name, by ?? ref);
      if (by === undefined || by === ref) return [];
      const text = `${refWords(by)} has a subset ${name} for this host already, and is older; this one does not count`;
      return [warn("subset-hidden", ref, `spec.subsets[${at}]`, text)];
    }),
  );
}

/** Two that select the same client for the same host. */
function selectedTwice(view: MeshView): readonly Finding[] {
  const selecting = view.objects.rules.filter(({ workloadSelector }) => workloadSelector.size > 0);
  const same = Map.groupBy(selecting, ({ ref, host }) => `${ref.namespace}/${host}`);
  const found = new Map<DestinationRule, Finding>();
  for (const rules of same.values()) {
    if (rules.length < 2) continue;
    const clients = Map.groupBy(
      rules.flatMap((rule) =>
        view.selected(rule.ref.namespace, rule.workloadSelector).map((group) => ({ rule, group })),
      ),
      ({ group }) => group,
    );
    for (const [{ namespace, workloads }, each] of clients) {
      const saying = each.map(({ rule }) => rule).filter(({ traffic }) => traffic !== undefined);
      const [winner, ...losers] = saying;
      for (const loser of winner === undefined ? [] : losers) {
        const where = `for ${namespace}/${workloads[0]?.ref.name ?? ""}`;
        if (winner !== undefined && !found.has(loser))
          found.set(loser, shadowed(winner, loser, where));
      }
    }
  }
  return [...found.values()];
}

/** Nobody can be in it, so that no rule is its own. */
const stranger = "";

/** Those that are for everybody, and count for nobody: a more specific host, or the service's own namespace, is asked first. */
function hiddenByNearer(view: MeshView, rules: readonly DestinationRule[]): readonly Finding[] {
  const { mesh } = view;
  const hosts = new Map(rules.map((rule) => [refKey(rule.ref), rule.host]));
  return rules.flatMap((rule) => {
    const { ref, host, exportTo } = rule;
    const { namespace } = ref;
    if (exportTo.length > 0 && !exportTo.includes("*")) return [];
    let by: ResourceRef | undefined;
    for (const called of view.servicesAt(host)) {
      const of = called.service.ref.namespace;
      const isPublic = namespace === of || namespace === mesh.config.rootNamespace;
      const isInhabited = view.selected(namespace, new Map()).length > 0;
      const clients = [
        ...(isPublic ? [stranger] : []),
        ...(isInhabited || !isPublic ? [namespace] : []),
      ];
      for (const client of clients) {
        const asked = { namespace: client, labels: new Map<string, string>() };
        const counts = mesh.rules.ruleFor(asked, called.host, of);
        if (counts === undefined) continue;
        if (counts.ref.namespace === namespace && hosts.get(refKey(counts.ref)) === host) return [];
        by = counts.ref;
      }
    }
    if (by === undefined) return [];
    const text = `it counts for nobody: ${refWords(by)} is nearer to whoever would be asking`;
    const hint =
      "a rule of the service's namespace goes before the root namespace's, a host before a wildcard";
    return [warn("hidden-by-another", ref, "", text, hint)];
  });
}
