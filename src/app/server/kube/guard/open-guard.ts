/**
 * The admission webhook (`--guard warn|enforce`), put together: whoever applies STRICT by kubectl is told, or stopped, while somebody
 * would fail by it.
 */

import { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import type { ServerConfig } from "../../../../edge/config/server-config.ts";
import type { Parts } from "../../parts.ts";
import type { Policy } from "../../policy/open-policy.ts";
import type { ClusterEdits } from "../writes/cluster-edits.ts";
import type { Kube } from "../kube.ts";
import { openGuardJudge } from "./open-guard-judge.ts";
import { serveGuard, type OpenedGuard } from "./serve-guard.ts";
import { followTold } from "./told-changes.ts";

export interface OpenGuardOptions {
  readonly policy: Pick<Policy, "control" | "connections" | "flips" | "resources">;
  readonly kube: Pick<Kube, "connection" | "namespace" | "caches">;
  readonly config: Pick<ServerConfig, "guard" | "guardListen" | "clusterDomain">;
  readonly nowMs: () => number;
}

/** @returns undefined where it is off @throws ListenError; what keeps its certificate from being signed */
export async function openGuard(
  parts: Pick<Parts, "live" | "log" | "metrics" | "trust" | "trustSecret" | "issueServing">,
  { policy, kube, config, nowMs }: OpenGuardOptions,
  owned: AsyncDisposableStack,
): Promise<OpenedGuard | undefined> {
  const { guard: mode, guardListen: listen, clusterDomain } = config;
  if (mode === "off") return undefined;
  const { configuration, clusterEdits } = policy.flips;
  const recent = new RecentChanges();
  owned.use(followTold(policy.resources.set, recent));
  const judge = openGuardJudge(parts, { policy, recent, nowMs });
  const { connection, namespace, caches } = kube;
  const notReady = (): string | undefined => notListed(caches);
  const where = { connection, namespace, listen, clusterDomain, nowMs };
  const isWriting = (...edit: Parameters<ClusterEdits["isWriting"]>): boolean =>
    clusterEdits?.isWriting(...edit) === true;
  const how = { mode, judge, configuration, notReady, recent, isWriting };
  return await serveGuard(parts, { ...where, ...how }, owned);
}

/** Whoever is not known, or not known any more, may be made to fail. */
function notListed({ pods, services, slices, policies }: Kube["caches"]): string | undefined {
  const states = [pods, services, slices, ...policies].map((each) => each.state());
  const isListed = states.every(({ listedMs, isAbsent }) => isAbsent || listedMs !== undefined);
  if (!isListed) return "the server has not read the cluster's objects yet";
  const isBehind = states.some(({ failure, openedMs }) => failure && openedMs === undefined);
  return isBehind
    ? "the server's watches of the cluster fail, and what it knows is old"
    : undefined;
}
