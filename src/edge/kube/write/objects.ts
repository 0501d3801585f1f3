/**
 * Objects written over a connection, by path. What changes or takes away one names the resource version that it was judged by: without
 * one the API server does it to whatever there is. So each may be sent twice: the second time it is a conflict.
 */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { askObject } from "../read/found-object.ts";

/** As whom `managedFields` names us. */
export const fieldManager = "portcullis";

const mergePatchType = "application/merge-patch+json";

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
}

/** @param path of the collection. @throws KubeError `kube-conflict` where there is one of its name; the reason of the signal */
export async function createObject(
  connection: KubeConnection,
  path: string,
  body: JsonObject,
  { signal }: WriteOptions = {},
): Promise<JsonObject> {
  return await askObject(connection, { method: "POST", path: written(path), body, signal });
}

/**
 * RFC 7396: what the patch does not name stays; null takes away; a list is replaced as a whole. It costs the API server a tenth more than a
 * PUT, which would need the whole object, and a tenth less than an apply.
 * @throws KubeError `kube-conflict` where the object is of another version; the reason of the signal
 */
export async function patchObject(
  connection: KubeConnection,
  path: string,
  { resourceVersion, patch }: { readonly resourceVersion: string; readonly patch: JsonObject },
  { signal }: WriteOptions = {},
): Promise<JsonObject> {
  const { metadata, ...rest } = patch;
  const versioned = { ...(isJsonObject(metadata) && metadata), resourceVersion };
  return await askObject(connection, {
    method: "PATCH",
    path: written(path),
    body: { ...rest, metadata: versioned },
    contentType: mergePatchType,
    isRepeatable: true,
    signal,
  });
}

/** What is gone already is no error. @throws KubeError `kube-conflict` where it is of another version; the reason of the signal */
export async function deleteObject(
  connection: KubeConnection,
  path: string,
  resourceVersion: string,
  { signal }: WriteOptions = {},
): Promise<void> {
  const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { resourceVersion } };
  try {
    await askObject(connection, { method: "DELETE", path, body, isRepeatable: true, signal });
  } catch (error) {
    if (!(error instanceof KubeError) || error.code !== "kube-not-found") throw error;
  }
}

function written(path: string): string {
  return `${path}?fieldManager=${fieldManager}`;
}
