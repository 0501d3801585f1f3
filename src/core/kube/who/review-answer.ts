/**
 * What the API server says of a token (`authentication.k8s.io/v1` TokenReview, `status`), as a value. It is answered for the audiences
 * that were asked for only if it says so: an API server that does not know audiences leaves them out, and that is a refusal here
 * (Istio does not look).
 */

import { AuthnError, printable, quoted } from "../../identity/authn-error.ts";
import type { JsonObject } from "../../identity/json-object.ts";
import { isJsonObject } from "../../identity/json-object.ts";
import { parseServiceAccountSubject } from "../../identity/service-account.ts";
import type { BoundNode, BoundObject } from "../../identity/token-claims.ts";

export interface ReviewedToken {
  readonly kind: "authenticated";
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly serviceAccountUid: string;
  readonly pod: BoundObject | undefined;
  readonly node: BoundNode | undefined;
}

export interface RefusedToken {
  readonly kind: "refused";
  /** For the log alone. */
  readonly why: string;
}

export type ReviewAnswer = ReviewedToken | RefusedToken;

const serviceAccountsGroup = "system:serviceaccounts";
const extraPrefix = "authentication.kubernetes.io/";
const reasonCharsMax = 256;

/**
 * @param status of the answer, as it came
 * @param audiences that were asked for: it must be good for one of them
 */
export function readReview(status: unknown, audiences: readonly string[]): ReviewAnswer {
  const read = readAuthenticated(status, audiences);
  return read.kind === "refused" ? read : readUser(read.user);
}

/** Whoever it is, as the API server has it. @param audiences as of `readReview` */
export function readAuthenticated(
  status: unknown,
  audiences: readonly string[],
): { readonly kind: "authenticated"; readonly user: JsonObject } | RefusedToken {
  if (!isJsonObject(status)) return refused("expected a status, got none");
  const { authenticated, error } = status;
  if (error !== undefined && error !== "") {
    return refused(`the API server says: ${reasonOf(error)}`);
  }
  if (authenticated !== true) return refused("the API server does not know this token");
  const granted = textsOf(status["audiences"]);
  if (!granted.some((audience) => audiences.includes(audience))) {
    const got = granted.slice(0, 4).map(quoted).join(", ");
    return refused(`expected audience ${audiences.map(quoted).join(" or ")}, got ${got || "none"}`);
  }
  const user = status["user"];
  return isJsonObject(user)
    ? { kind: "authenticated", user }
    : refused("expected a user, got none");
}

function readUser(user: JsonObject): ReviewAnswer {
  const { username, uid, groups, extra } = user;
  if (!textsOf(groups).includes(serviceAccountsGroup)) {
    return refused(`expected a service account, got ${quoted(username)}`);
  }
  const account = accountOf(username);
  if (account === undefined) {
    return refused(`expected system:serviceaccount:NAMESPACE:NAME, got ${quoted(username)}`);
  }
  if (typeof uid !== "string" || uid === "") return refused("expected the account's UID, got none");
  const said = (name: string): string | undefined => extraOf(extra, name);
  const [podName, podUid] = [said("pod-name"), said("pod-uid")];
  const [nodeName, nodeUid] = [said("node-name"), said("node-uid")];
  if ((podName === undefined) !== (podUid === undefined)) {
    return refused("expected a pod's name and its UID, got one of them");
  }
  const isPod = podName !== undefined && podUid !== undefined;
  return {
    kind: "authenticated",
    namespace: account.namespace,
    serviceAccount: account.name,
    serviceAccountUid: uid,
    pod: isPod ? { name: podName, uid: podUid } : undefined,
    node: nodeName === undefined ? undefined : { name: nodeName, ...(nodeUid && { uid: nodeUid }) },
  };
}

function accountOf(username: unknown): ReturnType<typeof parseServiceAccountSubject> | undefined {
  if (typeof username !== "string") return undefined;
  try {
    return parseServiceAccountSubject(username);
  } catch (error) {
    if (error instanceof AuthnError) return undefined;
    throw error;
  }
}

/** Each has one value; of two nobody could say which. */
function extraOf(extra: unknown, name: string): string | undefined {
  const values = textsOf(isJsonObject(extra) ? extra[extraPrefix + name] : undefined);
  return values.length === 1 ? values[0] : undefined;
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** The API server's words repeat claims of the token, and never its signature. */
function reasonOf(error: unknown): string {
  return typeof error === "string" ? printable(error, reasonCharsMax) : "an error without words";
}

function refused(why: string): RefusedToken {
  return { kind: "refused", why };
}
