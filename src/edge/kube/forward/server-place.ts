/** Where a server stands in its cluster, and by what its certificate is known: a ready pod of it, and the roots that it has written there. */

import { isJsonObject } from "../../../core/identity/json-object.ts";
import type { Pod } from "../../../core/kube/pod.ts";
import { isFinished } from "../../../core/kube/pod.ts";
import { rootsKey } from "../../../core/kube/own-names.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { pods } from "../read/read-identities.ts";

const serverLabel = "app.kubernetes.io/name=portcullis";

/** @returns its name. @throws KubeError */
export async function findServerPod(
  connection: Pick<KubeConnection, "send">,
  namespace: string,
): Promise<string> {
  const selector = encodeURIComponent(serverLabel);
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`;
  const answer = await connection.send({ path });
  const items = isJsonObject(answer) && Array.isArray(answer["items"]) ? answer["items"] : [];
  const found = items.flatMap((raw: unknown) => (isJsonObject(raw) ? (pods.parse(raw) ?? []) : []));
  const there = found.filter((pod) => pod.deletionMs === undefined && !isFinished(pod));
  const ready = there.filter(({ isReady }) => isReady).map(({ name }) => name);
  const [first] = ready.toSorted();
  if (first !== undefined) return first;
  throw noPod(namespace, there);
}

function noPod(namespace: string, there: readonly Pod[]): KubeError {
  if (there.length === 0) {
    const message = `no pod in namespace ${namespace} has the label ${serverLabel}`;
    const hint = "name the server's namespace by --kube-namespace, the cluster by --context";
    return new KubeError("kube-not-found", message, { hint });
  }
  const names = there.slice(0, 3).map(({ name }) => name);
  const message = `no pod of the server in namespace ${namespace} is ready: ${names.join(", ")}`;
  const hint = `kubectl --namespace ${namespace} describe pod ${names[0]}`;
  return new KubeError("kube-unavailable", message, { hint });
}

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
  throw new KubeError("kube-answer", message, {
    hint: "name the server's own by --bundle-config-map, or its roots by --server-root FILE",
  });
}
