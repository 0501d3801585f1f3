/**
 * Whether a kind of the cluster is being taken away: its definition (CRD) is asked for to be deleted, and then the API server deletes all
 * objects of it, one by one, before it is gone (apiextensions-apiserver, `crd_finalizer.go`). Nobody has deleted those.
 */

import { isJsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { headOf } from "./raw-object.ts";

/** `unknown`: it may not be read. */
export type DefinitionState = "there" | "going" | "unknown";

/**
 * @param path of the kind's objects
 * @throws KubeError where the API server cannot be asked; the reason of the signal
 */
export async function definitionState(
  connection: Pick<KubeConnection, "send">,
  path: string,
  signal: AbortSignal,
): Promise<DefinitionState> {
  const [, , group, , plural] = path.split("/");
  const name = `${plural}.${group}`;
  const at = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  try {
    const answer = await connection.send({ path: at, signal });
    const head = isJsonObject(answer) ? headOf(answer) : undefined;
    if (head?.name !== name) {
      throw new KubeError("kube-answer", `GET ${at}: expected a definition, got something else`);
    }
    return head.deletionMs === undefined ? "there" : "going";
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.code === "kube-not-found") return "going";
    if (error.code === "kube-forbidden") return "unknown";
    throw error;
  }
}
