/**
 * Of our webhook in a ValidatingWebhookConfiguration the one field that is ours: which roots the API server believes. All else in it is
 * the operator's, and so are other webhooks beside it. Written only over the very version that was read.
 */

import type { KubeConnection } from "./kube-connection.ts";
import { findObject } from "./read/found-object.ts";
import { objectOf, objectsOf, textOf } from "./read/raw-object.ts";

/** `missing`: there is no such configuration, or no webhook of ours in it, and nobody asks us. */
export type CaBundleState = "missing" | "current" | "written";

const resource = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/** As the manifests of `deploy` have it. */
const ownName = "guard.portcullis.io";
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
  const path = `${resource}/${name}`;
  const found = await findObject(connection, path);
  if (found === undefined) return "missing";
  const caBundle = Buffer.from(pem).toString("base64");
  const { resourceVersion } = objectOf(found["metadata"]);
  const own = objectsOf(found["webhooks"]).find(({ name: each }) => each === ownName);
  if (own === undefined) return "missing";
  if (textOf(objectOf(own["clientConfig"])["caBundle"]) === caBundle) return "current";
  const webhooks = [{ name: ownName, clientConfig: { caBundle } }];
  const body = { metadata: { resourceVersion }, webhooks };
  await connection.send({ method: "PATCH", path, body, contentType: mergePatch });
  return "written";
}
