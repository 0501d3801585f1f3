/** Istio's objects in a cluster, as `kubectl apply` would put them there. */

import { ApiException, CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import type { Cluster } from "../kube/cluster.ts";

const kinds = {
  PeerAuthentication: ["security.istio.io", "peerauthentications"],
  Sidecar: ["networking.istio.io", "sidecars"],
} as const;

export interface CustomObject {
  readonly kind: keyof typeof kinds;
  readonly namespace: string;
  readonly name: string;
  readonly spec: object;
}

/** Made, or replaced by what is given. */
export async function applyObject(cluster: Cluster, object: CustomObject): Promise<void> {
  const api = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
  const { kind, namespace, name, spec } = object;
  const place = placeOf(object);
  const { group, version } = place;
  const body = { apiVersion: `${group}/${version}`, kind, metadata: { namespace, name }, spec };
  try {
    await api.createNamespacedCustomObject({ ...place, body });
  } catch (error) {
    if (!(error instanceof ApiException) || error.code !== 409) throw error;
    const was: object = await api.getNamespacedCustomObject({ ...place, name });
    await api.replaceNamespacedCustomObject({ ...place, name, body: { ...was, spec } });
  }
}

export interface StandingObject {
  readonly spec?: { readonly mtls?: { readonly mode?: string } };
  readonly status?: { readonly conditions?: readonly Readonly<Record<string, string>>[] };
}

/** What the cluster has of it now. */
export async function readObject(
  cluster: Cluster,
  object: Omit<CustomObject, "spec">,
): Promise<StandingObject> {
  const api = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
  return await api.getNamespacedCustomObject({ ...placeOf(object), name: object.name });
}

/** Its pods are those with the label `app`. */
export async function createService(
  cluster: Cluster,
  namespace: string,
  name: string,
  targetPort: number,
): Promise<void> {
  const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  const ports = [{ name: "http", port: 80, targetPort }];
  const body = { metadata: { name }, spec: { selector: { app: name }, ports } };
  await core.createNamespacedService({ namespace, body });
}

function placeOf({ kind, namespace }: Pick<CustomObject, "kind" | "namespace">) {
  const [group, plural] = kinds[kind];
  return { group, version: "v1", namespace, plural };
}
