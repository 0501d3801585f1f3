/** Who an operator is and what he may do, as the API server says: TokenReview and SubjectAccessReview. */

import { isJsonObject, type JsonObject } from "../../core/identity/json-object.ts";
import type { AdminPermission } from "../../core/kube/who/admin-permissions.ts";
import {
  accessQuestion,
  isAllowed,
  readOperator,
  type ReviewedOperator,
} from "../../core/kube/who/reviewed-operator.ts";
import type { RefusedToken } from "../../core/kube/who/review-answer.ts";
import type { KubeConnection } from "./kube-connection.ts";
import { KubeError } from "./kube-error.ts";

/**
 * A "no" is an answer.
 * @throws KubeError: then nothing is known of the token; the reason of the signal
 */
export async function reviewOperator(
  connection: Pick<KubeConnection, "send">,
  token: string,
  audience: string,
  signal?: AbortSignal,
): Promise<ReviewedOperator | RefusedToken> {
  const spec = { token, audiences: [audience] };
  const status = await askReview(connection, "authentication.k8s.io", "TokenReview", spec, signal);
  return readOperator(status, audience);
}

/** @throws KubeError: then nothing is known of what he may; the reason of the signal */
export async function reviewAccess(
  connection: Pick<KubeConnection, "send">,
  operator: ReviewedOperator,
  permission: AdminPermission,
  signal?: AbortSignal,
): Promise<boolean> {
  const spec = accessQuestion(operator, permission);
  const kind = "SubjectAccessReview";
  return isAllowed(await askReview(connection, "authorization.k8s.io", kind, spec, signal));
}

/** @returns the answer's status */
async function askReview(
  connection: Pick<KubeConnection, "send">,
  group: string,
  kind: "TokenReview" | "SubjectAccessReview",
  spec: JsonObject,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const path = `/apis/${group}/v1/${kind.toLowerCase()}s`;
  const body = { apiVersion: `${group}/v1`, kind, spec };
  const sent = { method: "POST", path, body, isRepeatable: true } as const;
  const request = { ...sent, lane: "operators", signal } as const;
  const answer = await connection.send(request);
  if (isJsonObject(answer) && isJsonObject(answer["status"])) return answer["status"];
  throw new KubeError("kube-answer", `POST ${path}: expected a status, got something else`);
}
