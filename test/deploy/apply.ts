/** Manifests as `kubectl apply --server-side` sends them, with every field that the API server does not know an error. */

import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import type { Manifest } from "./chart.ts";

/** @throws KubeError with what the API server says of it */
export async function apply(
  connection: KubeConnection,
  manifest: Manifest,
  isDryRun: boolean,
): Promise<void> {
  const query = "fieldManager=test&force=true&fieldValidation=Strict";
  await connection.send({
    method: "PATCH",
    path: `${pathOf(manifest)}?${query}${isDryRun ? "&dryRun=All" : ""}`,
    contentType: "application/apply-patch+yaml",
    body: manifest,
  });
}

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  const plural = `${kind.toLowerCase()}s`.replace(/ys$/, "ies");
  return `${group}${scope}/${plural}/${name}`;
}
