/** TokenReview (`authentication.k8s.io/v1`): what the API server says of a token now. */

import { isJsonObject } from "../../core/identity/json-object.ts";
import { readReview, type ReviewAnswer } from "../../core/kube/who/review-answer.ts";
import type { KubeConnection } from "./kube-connection.ts";
import { KubeError } from "./kube-error.ts";

const path = "/apis/authentication.k8s.io/v1/tokenreviews";

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
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token, audiences },
  };
  const sent = { method: "POST", path, body, isRepeatable: true } as const;
  const request = { ...sent, lane: "reviews", signal } as const;
  const answer = await connection.send(request);
  if (isJsonObject(answer) && isJsonObject(answer["status"])) {
    return readReview(answer["status"], audiences);
  }
  throw new KubeError("kube-answer", `POST ${path}: expected a status, got something else`);
}
