/** What a server and its parts are called in a cluster, as the manifests of `deploy` have it. */

/** Of the service account, and of the Service. */
export const ownName = "portcullis";
/** The ValidatingWebhookConfiguration, and the webhook in it that is ours. */
export const guardConfiguration = "portcullis-guard";
export const guardWebhook = "guard.portcullis.io";
/** Of a ConfigMap with the roots (Istio: `constants.CACertNamespaceConfigMapDataName`). */
export const rootsKey = "root-cert.pem";

/** By it a server is known to whoever comes through the cluster. */
export function serverHost(namespace: string): string {
  return `${ownName}.${namespace}.svc`;
}
