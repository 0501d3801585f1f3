/** All that a server writes into its cluster besides its trust, at one pace: the roots, what is known of policies, and refusals. */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { ServerConfig } from "../../../../edge/config/server-config.ts";
import { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import type { RootMaps } from "../../../../core/roll/root-maps.ts";
import type { Parts } from "../../parts.ts";
import type { Policy } from "../../policy/open-policy.ts";
import type { Kube } from "../kube.ts";
import type { NamedBundleMaps } from "../kube-status.ts";
import { openBundleMaps } from "./open-bundle-maps.ts";
import { openPolicyFacts } from "./open-policy-facts.ts";
import { openPolicyConditions } from "./policy-conditions.ts";
import { openRefusalEvents, type RefusalEvents } from "./refusal-events.ts";

export interface OpenKubeWritesOptions {
  readonly kube: Pick<Kube, "connection" | "caches">;
  readonly policy: Policy;
  readonly config: Pick<ServerConfig, "bundleConfigMap" | "policyStatus">;
  /** Unix */
  readonly nowMs: () => number;
}

export interface KubeWrites {
  readonly pace: WritePace;
  /** How far the roots have got; undefined where they are not written. */
  readonly bundleMaps: () => NamedBundleMaps | undefined;
  /** As the gates of a rotation see them; undefined where they are not written. */
  readonly rootMaps: () => RootMaps | undefined;
  readonly refusals: RefusalEvents;
}

/** Longer ones are refused (`events.k8s.io/v1`, `reportingInstance`). */
const instanceMax = 128;

/** They are written until `owned` ends. */
export function openKubeWrites(
  parts: Pick<Parts, "live" | "log" | "metrics" | "trust" | "trustSecret" | "keeper">,
  { kube, policy, config, nowMs: wallMs }: OpenKubeWritesOptions,
  owned: AsyncDisposableStack,
): KubeWrites {
  const { log, metrics, trust, trustSecret } = parts;
  const mayWrite = (): boolean => trustSecret?.areRootsCurrent ?? true;
  const { connection, caches } = kube;
  const nowMs = (): number => performance.now();
  const random = Math.random;
  const pace = new WritePace({ nowMs });
  const common = { connection, pace, log, random, nowMs };
  const { bundleConfigMap: name, policyStatus: hasConditions } = config;
  const { namespaces } = caches;
  const maps =
    name === "off"
      ? undefined
      : openBundleMaps({ ...common, name, namespaces, trust, mayWrite, metrics }, owned);
  const source = hasConditions
    ? openPolicyFacts(parts, { policy, kube, wallMs, nowMs })
    : undefined;
  if (source !== undefined) openPolicyConditions({ ...common, source, wallMs }, owned);
  const instance = hostname().slice(0, instanceMax);
  const events = { ...common, instance, eventId: randomUUID, wallMs };
  const refusals = openRefusalEvents(events, owned);
  return {
    pace,
    bundleMaps: () => maps && { name, ...maps.bundleMaps() },
    rootMaps: () => maps?.rootMaps(),
    refusals,
  };
}
