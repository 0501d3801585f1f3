/** What of a policy is due, in its order: clusters, their endpoints, then the listeners that lead to them. */

import { take, type Draft, type PolicyResources } from "./policy-draft.ts";
import type { Snapshot } from "./resource.ts";
import { mergeSets, type ResourceSet } from "./resource-set.ts";
import { isTaken, receiveSet } from "./set-subscriber.ts";
import { receiveSnapshot } from "./subscriber.ts";

/** More of them in a row that are refused leave clusters to wish for. */
const inUseMax = 8;

export function advance(draft: Draft, target: PolicyResources): void {
  noteListening(draft, target);
  pushClusters(draft, target);
  const { isSubscribed, unanswered } = draft.listeners;
  // One after the other: those that are on their way need their clusters, too.
  if (!isSubscribed || unanswered.length > 0 || !isReady(draft, target)) return;
  if (draft.inUse.at(-1)?.digest !== target.digest)
    draft.inUse = [...draft.inUse, target].slice(-inUseMax);
  take(draft, "listeners", receiveSet(draft.listeners, target.listeners));
  noteListening(draft, target);
  pushClusters(draft, target);
}

function noteListening(draft: Draft, target: PolicyResources): void {
  const newest = draft.inUse.at(-1);
  if (newest === undefined || !isTaken(draft.listeners)) return;
  draft.inUse = [newest];
  const isTarget = newest.digest === target.digest;
  if (!isTarget || draft.ackedDigest !== undefined || !isReady(draft, target)) return;
  draft.ackedDigest = target.digest;
  draft.outcome = { kind: "acked", digest: target.digest };
}

/** Clusters and endpoints of the target, and of those listeners that may be in use. */
function pushClusters(draft: Draft, target: PolicyResources): void {
  const policies = [...draft.inUse, target];
  const clusters = mergeSets(policies.map((policy) => policy.clusters));
  take(draft, "clusters", receiveSet(draft.clusters, clusters));
  const endpoints = mergeSets(policies.map((policy) => policy.endpoints));
  const names = [...warmingClusters(draft), ...draft.resent];
  draft.resent = [];
  take(draft, "endpoints", receiveSnapshot(draft.endpoints, endpointsOf(endpoints), names));
}

/** Envoy builds a cluster that has changed anew, and waits for its endpoints once more. */
function warmingClusters(draft: Draft): readonly string[] {
  const { before, responses, clusters } = draft;
  const known = before.clusters.sent?.resources;
  const isSame = (name: string, version: string): boolean =>
    clusters.protocol === "sotw" && known?.get(name)?.version === version;
  const sent = responses.slice(draft.followed).filter(({ kind }) => kind === "clusters");
  draft.followed = responses.length;
  return sent
    .flatMap(({ response }) => response.resources)
    .filter(({ name, version }) => !isSame(name, version))
    .map(({ name }) => name);
}

function isReady({ clusters, endpoints }: Draft, target: PolicyResources): boolean {
  if (!clusters.isSubscribed) return true;
  if (!isTaken(clusters) || endpoints.unanswered.length > 0) return false;
  // Another policy's of the same name may be in force, where that was given since and its listeners were not.
  const wanted = [...target.clusters.resources.values()];
  if (wanted.some(({ name, version }) => clusters.taken.get(name) !== version)) return false;
  return [...target.endpoints.resources.values()].every(
    ({ name, version }) => endpoints.subscriptions.get(name)?.acked?.version === version,
  );
}

/** Silence about all others: nobody says of a cluster that is about to go that its endpoints are gone. */
export function endpointsOf({ resources }: ResourceSet<undefined>): Snapshot<undefined> {
  return { resources, pending: { has: () => true } };
}
