/** Who an operator is and what he may do, as the API server says: TokenReview and SubjectAccessReview. */

import type { AdminPermission } from "../../core/kube/who/admin-permissions.ts";
import {
  accessQuestion,
  isAllowed,
  readOperator,
  type ReviewedOperator,
} from "../../core/kube/who/reviewed-operator.ts";
import type { RefusedToken } from "../../core/kube/who/review-answer.ts";
import type { KubeConnection } from "./kube-connection.ts";
import { askReview } from "./reviews.ts";

const lane = "operators";

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
  const review = { group: "authentication.k8s.io", kind: "TokenReview", spec } as const;
  return readOperator(await askReview(connection, review, { lane, signal }), audience);
}

/** @throws KubeError: then nothing is known of what he may; the reason of the signal */
export async function reviewAccess(
  connection: Pick<KubeConnection, "send">,
  operator: ReviewedOperator,
  permission: AdminPermission,
  signal?: AbortSignal,
): Promise<boolean> {
  const spec = accessQuestion(operator, permission);
  const review = { group: "authorization.k8s.io", kind: "SubjectAccessReview", spec } as const;
  return isAllowed(await askReview(connection, review, { lane, signal }));
}
