/** The ConfigMaps with the roots: watched by their name in all namespaces, made, and mended without a touch to what is not ours. */

import { hash } from "node:crypto";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import { rootsKey } from "../../../core/kube/own-names.ts";
import type { BundleMap } from "../../../core/kube/writes/bundle-map.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { findObject } from "../read/found-object.ts";
import { headOf, objectOf, objectsOf, textOf } from "../read/raw-object.ts";
import type { WatchedKind } from "../watch/reflector-options.ts";
import { createObject, patchObject, type WriteOptions } from "./objects.ts";

/** Istio: `constants.IstioConfig...`, on each of its ConfigMaps. */
const label = "istio.io/config";

/** @param name of the ConfigMaps */
export function bundleMaps(name: string): WatchedKind<BundleMap> {
  return {
    path: "/api/v1/configmaps",
    fieldSelector: `metadata.name=${name}`,
    parse: readBundleMap,
  };
}

/** What `BundleMap.rootsSha256` is for this text. */
export function textSha256(text: string): string {
  return hash("sha256", text, "hex");
}

/** @returns undefined where there is none. @throws KubeError; the reason of the signal */
export async function findBundleMap(
  connection: KubeConnection,
  namespace: string,
  name: string,
  options?: WriteOptions,
): Promise<BundleMap | undefined> {
  const raw = await findObject(connection, `${collection(namespace)}/${name}`, options);
  return raw && readBundleMap(raw);
}

/** @param rootsPem what `root-cert.pem` is to be. @throws KubeError `kube-conflict` where there is one; the reason of the signal */
export async function createBundleMap(
  connection: KubeConnection,
  namespace: string,
  name: string,
  rootsPem: string,
  options?: WriteOptions,
): Promise<void> {
  const metadata = { name, namespace, labels: { [label]: "true" } };
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [rootsKey]: rootsPem } };
  await createObject(connection, collection(namespace), body, options);
}

/** @param map as it was seen. @throws KubeError `kube-conflict` where it is another by now; the reason of the signal */
export async function mendBundleMap(
  connection: KubeConnection,
  { namespace, name, resourceVersion }: BundleMap,
  rootsPem: string,
  options?: WriteOptions,
): Promise<void> {
  const patch = { metadata: { labels: { [label]: "true" } }, data: { [rootsKey]: rootsPem } };
  const path = `${collection(namespace)}/${name}`;
  await patchObject(connection, path, { resourceVersion, patch }, options);
}

function collection(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps`;
}

function readBundleMap(raw: JsonObject): BundleMap | undefined {
  const head = headOf(raw);
  if (head === undefined) return undefined;
  const { namespace, name, uid, labels } = head;
  const metadata = objectOf(raw["metadata"]);
  const roots = objectOf(raw["data"])[rootsKey];
  return {
    namespace,
    name,
    uid,
    resourceVersion: textOf(metadata["resourceVersion"]),
    rootsSha256: typeof roots === "string" ? textSha256(roots) : undefined,
    isLabelled: labels.get(label) === "true",
    manager: managerOf(metadata["managedFields"]),
  };
}

/** Each field has one owner at least: the last to have written it, and whoever has applied the same. */
function managerOf(managedFields: unknown): string {
  const owners = objectsOf(managedFields).filter(
    ({ fieldsV1 }) => objectOf(objectOf(fieldsV1)["f:data"])[`f:${rootsKey}`] !== undefined,
  );
  const byTime = owners.toSorted((a, b) => (textOf(a["time"]) < textOf(b["time"]) ? 1 : -1));
  return textOf(byTime[0]?.["manager"]);
}
