/** The server's pods in their namespace, as they are: the API server says more of them than the mesh's watch reads. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { objectOf, objectsOf } from "./raw-object.ts";

/** As the manifests of `deploy` select them. */
export const serverLabels =
  "app.kubernetes.io/name=portcullis,app.kubernetes.io/component=server" as const;

/** @throws KubeError */
export async function listServerPods(
  connection: Pick<KubeConnection, "send">,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly JsonObject[]> {
  const selector = encodeURIComponent(serverLabels);
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`;
  const { items } = objectOf(await connection.send({ path, signal }));
  return objectsOf(items);
}
