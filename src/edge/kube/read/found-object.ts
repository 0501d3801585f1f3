/** One object of the API server, asked for by its path, that need not be there. */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection, KubeRequest } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";

export type AskOptions = Pick<KubeRequest, "signal" | "lane" | "deadlineMs">;

/** @returns undefined where there is none. @throws KubeError; the reason of the signal */
export async function findObject(
  connection: Pick<KubeConnection, "send">,
  path: string,
  options: AskOptions = {},
): Promise<JsonObject | undefined> {
  try {
    return await askObject(connection, { ...options, path });
  } catch (error) {
    if (error instanceof KubeError && error.code === "kube-not-found") return undefined;
    throw error;
  }
}

/** @throws KubeError, also for an answer that is no object; the reason of the signal */
export async function askObject(
  connection: Pick<KubeConnection, "send">,
  request: KubeRequest,
): Promise<JsonObject> {
  const answer = await connection.send(request);
  if (isJsonObject(answer)) return answer;
  const what = `${request.method ?? "GET"} ${request.path.split("?", 1)[0]}`;
  throw new KubeError("kube-answer", `${what}: expected an object, got something else`);
}
