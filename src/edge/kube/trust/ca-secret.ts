/**
 * Istio's CA from its Secret: `cacerts`, plugged in by an operator in either layout, or `istio-ca-secret`, which istiod made for itself. Of
 * that one the other files are there and empty: its root is its signing certificate.
 */

import { isJsonObject } from "../../../core/identity/json-object.ts";
import { CA_FILE_BYTES_MAX, CA_KEY_FILES } from "../../../core/ca/ca-layout.ts";
import { withOwnRoot, type SentCa } from "../../ca/sent-ca.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { objectOf, textOf } from "../read/raw-object.ts";

/** @throws KubeError; what is wrong with the files is told by whoever loads them */
export async function readCaSecret(
  connection: KubeConnection,
  namespace: string,
  name: string,
): Promise<SentCa> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  const answer = await connection.send({ path }).catch((error: unknown) => {
    throw withRole(error, namespace, name);
  });
  if (!isJsonObject(answer)) throw new KubeError("kube-answer", `GET ${path}: expected a Secret`);
  const data = objectOf(answer["data"]);
  const files = new Map<string, Uint8Array>();
  for (const known of [...CA_FILE_BYTES_MAX.keys(), ...CA_KEY_FILES]) {
    const text = textOf(data[known]);
    if (text !== "") files.set(known, Buffer.from(text, "base64"));
  }
  return { from: `Secret ${namespace}/${name}`, files: withOwnRoot(files) };
}

/** One Secret, and not all of a cluster's. */
function withRole(error: unknown, namespace: string, name: string): unknown {
  if (!(error instanceof KubeError) || error.code !== "kube-forbidden") return error;
  const role = `kubectl -n ${namespace} create role read-${name} --verb get --resource secrets --resource-name ${name}`;
  return new KubeError(error.code, error.message, {
    cause: error,
    hint: `a Role for that one Secret is enough: ${role}; and a RoleBinding of it to you`,
  });
}
