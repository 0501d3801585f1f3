/** Events (`events.k8s.io/v1`) of refusals: one is made, and counts up as a series. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { RefusalNote } from "../../../core/kube/writes/refusal-notes.ts";
import type { RefusalSubject } from "../../../core/kube/writes/refusal-series.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { microTime } from "../micro-time.ts";
import { objectOf, textOf } from "../read/raw-object.ts";
import { createObject, patchObject, type WriteOptions } from "./objects.ts";

export interface RefusalEvent {
  readonly subject: RefusalSubject;
  readonly note: RefusalNote;
  readonly count: number;
  /** Unix */
  readonly lastMs: number;
}

/** What is needed to count it up. */
export interface MadeEvent {
  readonly path: string;
  readonly resourceVersion: string;
}

/** A qualified name, as every controller has one. */
const reportingController = "portcullis.io/server";

/**
 * @param id unique, of a name of Kubernetes
 * @param instance which server it is, such as its pod
 * @throws KubeError; the reason of the signal
 */
export async function createRefusalEvent(
  connection: KubeConnection,
  { subject, note, count, lastMs }: RefusalEvent,
  { id, instance }: { readonly id: string; readonly instance: string },
  options?: WriteOptions,
): Promise<MadeEvent> {
  const { kind, namespace, name, uid } = subject;
  const collection = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
  const body: JsonObject = {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `portcullis.${id}`, namespace },
    eventTime: microTime(lastMs),
    ...(count > 1 && { series: { count, lastObservedTime: microTime(lastMs) } }),
    reportingController,
    reportingInstance: instance,
    action: "Issue",
    reason: note.reason,
    note: note.note,
    type: "Warning",
    regarding: { apiVersion: "v1", kind, namespace, name, ...(uid !== undefined && { uid }) },
  };
  const made = await createObject(connection, collection, body, options);
  return { path: `${collection}/portcullis.${id}`, resourceVersion: versionOf(made) };
}

/** @throws KubeError `kube-conflict` and `kube-not-found` where it is another or gone; the reason of the signal */
export async function countRefusalEvent(
  connection: KubeConnection,
  { path, resourceVersion }: MadeEvent,
  { count, lastMs }: Pick<RefusalEvent, "count" | "lastMs">,
  options?: WriteOptions,
): Promise<MadeEvent> {
  const patch = { series: { count, lastObservedTime: microTime(lastMs) } };
  const now = await patchObject(connection, path, { resourceVersion, patch }, options);
  return { path, resourceVersion: versionOf(now) };
}

function versionOf({ metadata }: JsonObject): string {
  return textOf(objectOf(metadata)["resourceVersion"]);
}
