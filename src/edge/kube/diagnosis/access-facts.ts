/** Whether each right is given (`authorization.k8s.io/v1`): to whoever asks, or, where he may ask it, to another one. */

import type { AccessAnswer } from "../../../core/doctor/check-access.ts";
import type { ClusterNeed } from "../../../core/doctor/cluster-needs.ts";
import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import { isAllowed } from "../../../core/kube/who/reviewed-operator.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";

/** As the API server knows him. */
export interface AccessSubject {
  readonly user: string;
  readonly groups: readonly string[];
}

export function accountSubject(namespace: string, account: string): AccessSubject {
  return {
    user: `system:serviceaccount:${namespace}:${account}`,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
  };
}

/** The tokens of workloads wait in the same line. */
const atOnce = 8;

/** @param subject undefined: whoever asks */
export async function readAccess(
  connection: Pick<KubeConnection, "send">,
  needs: readonly ClusterNeed[],
  subject: AccessSubject | undefined,
  signal: AbortSignal,
): Promise<readonly AccessAnswer[]> {
  const answers: AccessAnswer[] = [];
  for (let start = 0; start < needs.length; start += atOnce) {
    const some = needs.slice(start, start + atOnce).map(async (need) => {
      const asked = askOne(connection, need, subject, signal);
      return { need, isAllowed: await asked.catch(wordsOf) };
    });
    const group = await Promise.all(some);
    answers.push(...group);
    const failed = group.find(({ isAllowed }) => typeof isAllowed !== "boolean");
    // Nobody waits for the same again.
    if (failed !== undefined && group.every(({ isAllowed }) => typeof isAllowed !== "boolean")) {
      const rest = needs.slice(answers.length).map((need) => ({ ...failed, need }));
      return [...answers, ...rest];
    }
  }
  return answers;
}

async function askOne(
  connection: Pick<KubeConnection, "send">,
  need: ClusterNeed,
  subject: AccessSubject | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const kind = subject === undefined ? "SelfSubjectAccessReview" : "SubjectAccessReview";
  const path = `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`;
  const spec = { ...subject, ...attributesOf(need) };
  const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
  const answer = await connection.send({ method: "POST", path, body, isRepeatable: true, signal });
  if (isJsonObject(answer) && isJsonObject(answer["status"])) return isAllowed(answer["status"]);
  throw new KubeError("kube-answer", `POST ${path}: expected a status, got something else`);
}

function attributesOf({ verb, group, resource, namespace, name }: ClusterNeed): JsonObject {
  if (resource.startsWith("/")) return { nonResourceAttributes: { path: resource, verb } };
  const [plural, subresource] = resource.split("/");
  const of = { group, resource: plural, verb, namespace, name };
  return { resourceAttributes: subresource === undefined ? of : { ...of, subresource } };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
