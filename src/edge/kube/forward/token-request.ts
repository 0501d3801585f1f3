/** A short token of a service account (TokenRequest), for one audience. */

import { isJsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";

export interface TokenOrder {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audience: string;
  /** 600 at least. */
  readonly seconds: number;
}

/** @throws KubeError */
export async function requestToken(
  connection: Pick<KubeConnection, "send">,
  { namespace, serviceAccount, audience, seconds }: TokenOrder,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [audience], expirationSeconds: seconds },
  };
  const answer = await connection.send({ method: "POST", path, body }).catch((cause: unknown) => {
    if (!(cause instanceof KubeError) || cause.code !== "kube-not-found") throw cause;
    const hint = `name an account of namespace ${namespace} by --service-account: kubectl get serviceaccounts --namespace ${namespace}`;
    throw new KubeError(cause.code, cause.message, { cause, hint });
  });
  const status = isJsonObject(answer) ? answer["status"] : undefined;
  const token = isJsonObject(status) ? status["token"] : undefined;
  if (typeof token === "string" && token !== "") return token;
  throw new KubeError("kube-answer", `POST ${path}: expected a token, got none`);
}
