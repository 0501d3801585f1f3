/** TokenReview (`authentication.k8s.io/v1`): what the API server says of a token now. */

import { isJsonObject, type JsonObject } from "../../core/identity/json-object.ts";
import { readReview, type ReviewAnswer } from "../../core/kube/who/review-answer.ts";
import type { KubeConnection, KubeRequest } from "./kube-connection.ts";
import { KubeError } from "./kube-error.ts";

/**
 * A "no" is an answer. The API server itself remembers a "yes" for 10 s: what went in between is not asked of it.
 * @param audiences the token must be good for one of them
 * @throws KubeError: then nothing is known of the token; the reason of the signal
 */
export async function reviewToken(
  connection: KubeConnection,
  token: string,
  audiences: readonly string[],
  signal?: AbortSignal,
): Promise<ReviewAnswer> {
  const spec = { token, audiences };
  const review = { group: "authentication.k8s.io", kind: "TokenReview", spec } as const;
  return readReview(await askReview(connection, review, { lane: "reviews", signal }), audiences);
}

export interface ReviewQuestion {
  readonly group: "authentication.k8s.io" | "authorization.k8s.io";
  readonly kind: "TokenReview" | "SubjectAccessReview";
  readonly spec: JsonObject;
}

/** @returns the answer's status. @throws KubeError; the reason of the signal */
export async function askReview(
  connection: Pick<KubeConnection, "send">,
  { group, kind, spec }: ReviewQuestion,
  asked: Pick<KubeRequest, "lane" | "signal">,
): Promise<JsonObject> {
  const path = `/apis/${group}/v1/${kind.toLowerCase()}s`;
  const body = { apiVersion: `${group}/v1`, kind, spec };
  const sent = { method: "POST", path, body, isRepeatable: true } as const;
  const answer = await connection.send({ ...sent, ...asked });
  if (isJsonObject(answer) && isJsonObject(answer["status"])) return answer["status"];
  throw new KubeError("kube-answer", `POST ${path}: expected a status, got something else`);
}
