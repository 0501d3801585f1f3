/** Outbound listeners that lead nowhere, or to somebody else than it seems. */

import type { Sidecar } from "../resources/sidecar.ts";
import type { Finding } from "./finding.ts";
import { egressProblems, nothingMatches, type EgressProblem } from "./findings-egress-problems.ts";
import { warn } from "./findings-words.ts";
import type { MeshView } from "./mesh-view.ts";
import { egressOf, type Egress } from "./outbound-plan.ts";

export class EgressProblems {
  readonly #view: MeshView;
  /** Whether all namespaces see the same of every host. */
  readonly #isUniform: boolean;
  readonly #known = new Map<string, readonly EgressProblem[]>();

  constructor(view: MeshView) {
    this.#view = view;
    const { services } = view.objects;
    this.#isUniform =
      services.every(({ exportTo }) => exportTo.length === 0 || exportTo.includes("*")) &&
      Array.from(view.hosts()).every((host) => view.servicesOfHost(host).length === 1);
  }

  findings(sidecar: Sidecar): readonly Finding[] {
    const namespaces = this.#namespacesOf(sidecar);
    const found = new Map<string, { readonly problem: EgressProblem; count: number }>();
    for (const namespace of namespaces) {
      for (const problem of this.#problems(egressOf(sidecar, namespace), namespace)) {
        const key = JSON.stringify([problem.code, problem.path, problem.subject]);
        const same = found.get(key) ?? { problem, count: 0 };
        same.count++;
        found.set(key, same);
      }
    }
    return Array.from(found.values())
      .filter(
        ({ problem: { code }, count }) => code !== nothingMatches || count === namespaces.length,
      )
      .map(({ problem: { code, path, text, hint } }) => {
        const written = sidecar.egress === undefined ? "spec" : path;
        return warn(code, sidecar.ref, written, text, hint);
      });
  }

  /** The root namespace's is everybody's who has none. */
  #namespacesOf(sidecar: Sidecar): readonly string[] {
    const { ref, workloadSelector } = sidecar;
    const { groups, mesh } = this.#view;
    const isRoot = ref.namespace === mesh.config.rootNamespace;
    if (!isRoot || workloadSelector.size > 0 || groups.length === 0) return [ref.namespace];
    const own = groups.filter((group) => this.#view.sidecarOf(group) === sidecar);
    return [...new Set(own.map(({ namespace }) => namespace))];
  }

  /** Most Sidecars of a mesh say the same of the same. */
  #problems(egress: Egress, namespace: string): readonly EgressProblem[] {
    const { listeners, taken } = egress;
    const isAlike = this.#isUniform && !listeners.some(({ hosts }) => hosts.some(isOwn));
    const key = JSON.stringify([isAlike ? "" : namespace, listeners, taken]);
    const known = this.#known.get(key) ?? egressProblems(this.#view.mesh.services, egress);
    this.#known.set(key, known);
    return known;
  }
}

function isOwn(pattern: string): boolean {
  return pattern.startsWith("./");
}
