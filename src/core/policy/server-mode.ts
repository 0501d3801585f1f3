/**
 * What a workload's port takes. Istio's rules: within a scope the oldest policy counts, and no other; the narrower scope is stronger;
 * UNSET is the wider one's; ports are those of the workload's policy that counts.
 */

import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import type { Because } from "./decision.ts";
import type { Labelled } from "./labels.ts";
import type { PeerPolicies } from "./peer-policies.ts";

export type ServerMode = "disable" | "permissive" | "strict";

/** The scope that has said it; `flip`: the object says STRICT, and a flip holds the workload back (`holds.ts`). */
export type ServerRule = "default" | "mesh" | "namespace" | "workload" | "port" | "flip";

/** Why a policy that is about this workload says nothing. */
export type IgnoredRule =
  /** Another one of the same scope is older. */
  | "not-the-oldest"
  /** Istio's text has it select in all namespaces, and Istio's code ignores it. */
  | "selector-in-root-namespace"
  /** It has ports and selects nothing: only a workload's policy may have them. */
  | "ports-without-selector";

export interface ServerDecision {
  readonly mode: ServerMode;
  readonly because: Because<ServerRule>;
  /** From the widest scope on: what would hold without the narrower one. */
  readonly overrode: readonly (Because<ServerRule> & { readonly mode: ServerMode })[];
  readonly ignored: readonly Because<IgnoredRule>[];
  /** The one that holds it back; absent where none does. */
  readonly flip?: number;
}

type Said = Because<ServerRule> & { readonly mode: ServerMode };

const modes: Readonly<Record<Exclude<PeerMode, "UNSET">, ServerMode>> = {
  DISABLE: "disable",
  PERMISSIVE: "permissive",
  STRICT: "strict",
};

/** @param port the workload's own, where its listener is: not that of a service */
export function serverMode(policies: PeerPolicies, target: Labelled, port: number): ServerDecision {
  const { rootNamespace } = policies;
  const isRoot = target.namespace === rootNamespace;
  const ofMesh = policies.wide(rootNamespace);
  const ofNamespace = isRoot ? [] : policies.wide(target.namespace);
  const selecting = policies.selecting(target);
  const ofWorkload = isRoot ? [] : selecting;
  const said: Said[] = [{ ref: undefined, rule: "default", mode: "permissive" }];
  const [[mesh], [namespace], [workload]] = [ofMesh, ofNamespace, ofWorkload];
  say(said, "mesh", mesh, mesh?.mode);
  say(said, "namespace", namespace, namespace?.mode);
  say(said, "workload", workload, workload?.mode);
  say(said, "port", workload, workload?.ports.get(port));
  const { mode, ...because } = said.pop() ?? {
    ref: undefined,
    rule: "default",
    mode: "permissive",
  };
  return {
    mode,
    because,
    overrode: said.filter(({ ref }) => ref !== undefined),
    ignored: [
      ...[ofMesh, ofNamespace, ofWorkload].flatMap((all) =>
        ignored(all.slice(1), "not-the-oldest"),
      ),
      ...ignored(isRoot ? selecting : [], "selector-in-root-namespace"),
      ...ignored([mesh, namespace].filter(hasPorts), "ports-without-selector"),
    ],
  };
}

function say(
  said: Said[],
  rule: ServerRule,
  policy: PeerAuthentication | undefined,
  mode: PeerMode = "UNSET",
): void {
  if (policy === undefined || mode === "UNSET") return;
  said.push({ ref: policy.ref, rule, mode: modes[mode] });
}

function ignored(
  policies: readonly PeerAuthentication[],
  rule: IgnoredRule,
): readonly Because<IgnoredRule>[] {
  return policies.map(({ ref }) => ({ ref, rule }));
}

function hasPorts(policy: PeerAuthentication | undefined): policy is PeerAuthentication {
  return policy !== undefined && policy.ports.size > 0;
}
