/** An answer of the API server that is no success (`metav1.Status`, HTTP's status) -> a typed error. */

import { printable } from "../../core/identity/authn-error.ts";
import { isJsonObject, type JsonObject } from "../../core/identity/json-object.ts";
import { KubeError, type KubeErrorCode, type KubeErrorOptions } from "./kube-error.ts";

const codes: ReadonlyMap<number, KubeErrorCode> = new Map([
  [400, "kube-invalid"],
  [401, "kube-unauthorized"],
  [403, "kube-forbidden"],
  [404, "kube-not-found"],
  [409, "kube-conflict"],
  [410, "kube-gone"],
  [422, "kube-invalid"],
  [429, "kube-throttled"],
]);

const messageCharsMax = 512;
const retryAfterSecondsMax = 300;

export interface FailedAnswer {
  readonly status: number;
  /** JSON of a Status, or whatever came instead. */
  readonly text: string;
  readonly retryAfter?: string | undefined;
  /** Why the credentials that were shown are those of before. */
  readonly unread?: string | undefined;
}

/** @param what was asked for, such as `GET /api/v1/pods`; without a query */
export function answerError(what: string, answer: FailedAnswer): KubeError {
  const { status, text, retryAfter, unread } = answer;
  const said = parseStatus(text);
  const words = typeof said["message"] === "string" ? said["message"] : text.trim();
  const message = `${what}: ${status} ${printable(words, messageCharsMax)}`.trim();
  const code = codes.get(status) ?? (status >= 500 ? "kube-unavailable" : "kube-answer");
  return new KubeError(code, message, {
    ...hintOf(code, words, unread),
    retryAfterMs: msOf(retryAfter),
  });
}

/** @param object of a watch's event ERROR: a Status */
export function eventError(what: string, object: JsonObject): KubeError {
  const { code } = object;
  const status = typeof code === "number" ? code : 500;
  return answerError(what, { status, text: JSON.stringify(object) });
}

function parseStatus(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** RFC 9110 10.2.3; Kubernetes writes seconds. */
function msOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined || !/^\d{1,9}$/.test(retryAfter)) return undefined;
  return Math.min(Number(retryAfter), retryAfterSecondsMax) * 1_000;
}

/** RBAC's own words name what is missing, and to whom. */
const forbidden =
  /(?:User "(?<user>[^"]*)" )?cannot (?<verb>\S+) resource "(?<resource>[^"]*)" in API group "(?<group>[^"]*)"/;

function hintOf(
  code: KubeErrorCode,
  words: string,
  unread?: string,
): Pick<KubeErrorOptions, "hint"> {
  if (code === "kube-unauthorized") {
    const why =
      unread === undefined ? "see the pod's token" : `they are those of before: ${unread}`;
    return { hint: `the API server does not take our own credentials: ${why}` };
  }
  if (code !== "kube-forbidden") return {};
  const { user, verb, resource, group } = forbidden.exec(words)?.groups ?? {};
  if (verb === undefined) return { hint: "look at the ClusterRole of our service account" };
  const rule = `apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]`;
  const whose = user === undefined ? "our service account" : printable(user, 256);
  return { hint: `add to the ClusterRole of ${whose}: ${printable(rule, 256)}` };
}
