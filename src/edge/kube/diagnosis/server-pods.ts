/** The server's pods, and why one is not ready, in Kubernetes' own words. */

import type { PodFacts, ServerPod } from "../../../core/doctor/check-cluster.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import { listServerPods } from "../read/list-server-pods.ts";
import { pods } from "../read/read-identities.ts";
import { objectOf, objectsOf, textOf } from "../read/raw-object.ts";
import type { InstalledAsker } from "./installed-facts.ts";

/** @throws KubeError */
export async function readServerPods(
  { connection, signal }: InstalledAsker,
  namespace: string,
): Promise<PodFacts> {
  const items = await listServerPods(connection, namespace, signal);
  return { namespace, pods: items.flatMap(serverPod) };
}

function serverPod(raw: JsonObject): readonly ServerPod[] {
  const pod = pods.parse(raw);
  if (pod === undefined) return [];
  const { name, isReady, phase } = pod;
  return [{ name, isReady, reason: isReady ? "" : reasonOf(objectOf(raw["status"]), phase) }];
}

/** A container that waits says most, then whatever condition is not met. */
function reasonOf(status: JsonObject, phase: string): string {
  const containers = [
    ...objectsOf(status["initContainerStatuses"]),
    ...objectsOf(status["containerStatuses"]),
  ];
  const waiting = containers.map(({ state }) => objectOf(objectOf(state)["waiting"]));
  const unmet = objectsOf(status["conditions"]).filter(({ status: is }) => is === "False");
  const first = [...waiting, ...unmet].find(({ reason }) => textOf(reason) !== "");
  const [reason, message] = [textOf(first?.["reason"]), textOf(first?.["message"])];
  if (reason === "") return phase;
  return message === "" ? reason : `${reason}: ${message}`;
}
