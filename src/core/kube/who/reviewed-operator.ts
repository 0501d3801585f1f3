/**
 * An operator as the API server knows him, by his token (TokenReview) and by what he may do (`authorization.k8s.io/v1`
 * SubjectAccessReview): any user of the cluster, not service accounts alone.
 */

import { printable } from "../../identity/authn-error.ts";
import { isJsonObject, type JsonObject } from "../../identity/json-object.ts";
import { PERMISSION_GROUP, permissionText, type AdminPermission } from "./admin-permissions.ts";
import { readAuthenticated, type RefusedToken } from "./review-answer.ts";

/** All that RBAC, or another authorizer, may go by; `extra` as it came. */
export interface ReviewedOperator {
  readonly kind: "authenticated";
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: JsonObject;
}

/** @param status of a TokenReview. @param audience that was asked for */
export function readOperator(status: unknown, audience: string): ReviewedOperator | RefusedToken {
  const read = readAuthenticated(status, [audience]);
  if (read.kind === "refused") return read;
  const { username, uid, groups, extra } = read.user;
  if (typeof username !== "string" || username === "") {
    return { kind: "refused", why: "expected a user with a name, got none" };
  }
  return {
    kind: "authenticated",
    username,
    uid: typeof uid === "string" ? uid : "",
    groups: Array.isArray(groups) ? groups.filter((each) => typeof each === "string") : [],
    extra: isJsonObject(extra) ? extra : {},
  };
}

/** The `spec` of the question whether he may. */
export function accessQuestion(
  { username, uid, groups, extra }: ReviewedOperator,
  { resource, verb }: AdminPermission,
): JsonObject {
  const resourceAttributes = { group: PERMISSION_GROUP, resource, verb };
  return { user: username, uid, groups, extra, resourceAttributes };
}

/** A "no" as well as no clear "yes": `denied` goes before `allowed`. @param status of a SubjectAccessReview */
export function isAllowed(status: JsonObject): boolean {
  return status["allowed"] === true && status["denied"] !== true;
}

const nameCharsMax = 400;
const accountPattern = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Of the manifests: with what it may do, all may do it who may make tokens for it. */
const sharedAccount = "portcullis-operator";

/** Who may not do what, and what a cluster's administrator does about it. */
export function missingPermission(
  { username }: ReviewedOperator,
  permission: AdminPermission,
): { readonly message: string; readonly hint: string } {
  const name = printable(username, nameCharsMax);
  const [, namespace, account] = accountPattern.exec(username) ?? [];
  const subject =
    namespace === undefined
      ? `--user=${shellWord(name)}`
      : `--serviceaccount=${namespace}:${account}`;
  const role = roleFor(permission);
  const binding = `kubectl create clusterrolebinding NAME --clusterrole=${role}`;
  return {
    message: `${name} may not ${permissionText(permission)}`,
    hint:
      account === sharedAccount
        ? `${account} is everybody's: use an account of your own (--service-account YOURS), and ${binding} --serviceaccount=${namespace}:YOURS`
        : `${binding} ${subject}`,
  };
}

/** Of the roles that are installed with the server: the smallest that has it. */
function roleFor({ resource, verb }: AdminPermission): string {
  if (verb === "get") return "portcullis-viewer";
  if (resource === "roots") return "portcullis-root-operator";
  const isMtls = resource === "mtls" || resource === "resources";
  return isMtls ? "portcullis-mtls-operator" : "portcullis-admin";
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
