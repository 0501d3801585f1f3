/**
 * Of our webhook in a ValidatingWebhookConfiguration the one field that is ours: which roots the API server believes. All else in it is
 * the operator's, and so are other webhooks beside it. Written only over the very version that was read.
 */

import type { JsonObject } from "../../core/identity/json-object.ts";
import { guardWebhook } from "../../core/kube/own-names.ts";
import type { KubeConnection } from "./kube-connection.ts";
import { findObject, type AskOptions } from "./read/found-object.ts";
import { objectOf, objectsOf, textOf } from "./read/raw-object.ts";

/** `missing`: there is no such configuration, or no webhook of ours in it, and nobody asks us. */
export type CaBundleState = "missing" | "current" | "written";

const resource = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const mergePatch = "application/strategic-merge-patch+json";

/**
 * @param name of the configuration @param pem of all roots
 * @throws KubeError; `kube-conflict` where another was faster: it is read again
 */
export async function keepCaBundle(
  connection: KubeConnection,
  name: string,
  pem: string,
): Promise<CaBundleState> {
  const { own, resourceVersion } = (await findOwnWebhook(connection, name)) ?? {};
  if (own === undefined) return "missing";
  const caBundle = Buffer.from(pem).toString("base64");
  if (textOf(objectOf(own["clientConfig"])["caBundle"]) === caBundle) return "current";
  const webhooks = [{ name: guardWebhook, clientConfig: { caBundle } }];
  const body = { metadata: { resourceVersion }, webhooks };
  const path = `${resource}/${name}`;
  await connection.send({ method: "PATCH", path, body, contentType: mergePatch });
  return "written";
}

export interface OwnWebhook {
  readonly resourceVersion: string;
  /** Undefined: there are others in the configuration, or none. */
  readonly own: JsonObject | undefined;
}

/** @returns undefined where there is no such configuration. @throws KubeError; the reason of the signal */
export async function findOwnWebhook(
  connection: KubeConnection,
  name: string,
  options?: AskOptions,
): Promise<OwnWebhook | undefined> {
  const found = await findObject(connection, `${resource}/${name}`, options);
  if (found === undefined) return undefined;
  const own = objectsOf(found["webhooks"]).find(({ name: each }) => each === guardWebhook);
  return { resourceVersion: textOf(objectOf(found["metadata"])["resourceVersion"]), own };
}
