/**
 * Where a server stands in its cluster, and by what its certificate is known: a ready pod of it, the port for operators, and the roots that
 * it has written there.
 */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import { inThePod } from "../../../core/kube/in-the-pod.ts";
import { compareText } from "../../../core/compare-text.ts";
import type { Pod } from "../../../core/kube/pod.ts";
import { isFinished } from "../../../core/kube/pod.ts";
import { rootsKey } from "../../../core/kube/own-names.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { listServerPods, serverLabels } from "../read/list-server-pods.ts";
import { objectOf, objectsOf, portOf } from "../read/raw-object.ts";
import { pods } from "../read/read-identities.ts";

export interface ServerPlace {
  readonly pod: string;
  /** For operators. */
  readonly port: number;
}

/** As the chart has it by default. */
const adminPortDefault = 15_016;

/** @throws KubeError */
export async function findServerPod(
  connection: Pick<KubeConnection, "send">,
  namespace: string,
): Promise<ServerPlace> {
  const items = await listServerPods(connection, namespace);
  const there = items.flatMap((raw) => {
    const pod = pods.parse(raw);
    const isThere = pod !== undefined && pod.deletionMs === undefined && !isFinished(pod);
    return isThere ? [{ pod, port: adminPortOf(raw) }] : [];
  });
  const ready = there.filter(({ pod }) => pod.isReady);
  const [first] = ready.toSorted((a, b) => compareText(a.pod.name, b.pod.name));
  if (first !== undefined) return { pod: first.pod.name, port: first.port };
  throw noPod(
    namespace,
    there.map(({ pod }) => pod),
  );
}

function adminPortOf(raw: JsonObject): number {
  const containers = objectsOf(objectOf(raw["spec"])["containers"]);
  const ports = containers.flatMap(({ ports }) => objectsOf(ports));
  return portOf(ports.find(({ name }) => name === "admin")?.["containerPort"]) ?? adminPortDefault;
}

function noPod(namespace: string, there: readonly Pod[]): KubeError {
  if (there.length === 0) {
    const message = `no pod in namespace ${namespace} has the labels ${serverLabels}`;
    const hint = "name the server's namespace by --kube-namespace, the cluster by --context";
    return new KubeError("kube-not-found", message, { hint });
  }
  const names = there.slice(0, 3).map(({ name }) => name);
  const message = `no pod of the server in namespace ${namespace} is ready: ${names.join(", ")}`;
  const [pod = ""] = names;
  const hint = `kubectl --namespace ${namespace} describe pod ${pod}; ${inThePod({ namespace, pod })}`;
  return new KubeError("kube-unavailable", message, { hint });
}

/** Where the ConfigMap that was read is another's. */
export const nameItsRoots: string =
  "name the server's own ConfigMap by --bundle-config-map, or its roots by --server-root FILE";

/** @param name of the ConfigMap @returns PEM. @throws KubeError */
export async function readServerRoots(
  connection: Pick<KubeConnection, "send">,
  namespace: string,
  name: string,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const answer = await connection.send({ path });
  const data = isJsonObject(answer) ? answer["data"] : undefined;
  const roots = isJsonObject(data) ? data[rootsKey] : undefined;
  if (typeof roots === "string" && roots.includes("BEGIN CERTIFICATE")) return roots;
  const message = `ConfigMap ${namespace}/${name}: expected certificates in ${rootsKey}`;
  throw new KubeError("kube-answer", message, { hint: nameItsRoots });
}
