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
  const answer = await connection.send({ path });
  if (!isJsonObject(answer)) throw new KubeError("kube-answer", `GET ${path}: expected a Secret`);
  const data = objectOf(answer["data"]);
  const files = new Map<string, Uint8Array>();
  for (const known of [...CA_FILE_BYTES_MAX.keys(), ...CA_KEY_FILES]) {
    const text = textOf(data[known]);
    if (text !== "") files.set(known, Buffer.from(text, "base64"));
  }
  return { from: `Secret ${namespace}/${name}`, files: withOwnRoot(files) };
}
