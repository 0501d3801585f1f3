/**
 * AdmissionReview (`admission.k8s.io/v1`): what an API server asks before it takes a change, and what it is answered. Whoever sent it is
 * not known, so that nothing of it is more than what is asked.
 */

import { PortcullisError } from "../../error.ts";
import { isJsonObject, type JsonObject } from "../../identity/json-object.ts";
import { measureJson } from "./json-measure.ts";

export type AdmissionErrorCode =
  | "admission-malformed"
  | "admission-too-deep"
  | "admission-too-large";

export class AdmissionError extends PortcullisError<AdmissionErrorCode> {
  override name = "AdmissionError";
}

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE";

export interface AdmissionAsked {
  /** Of the question; the answer has the same. */
  readonly uid: string;
  /** As the API server has verified it, if it was the API server. */
  readonly username: string;
  readonly isDryRun: boolean;
  /** Undefined: of something else than a PeerAuthentication's own content, or not one of these operations. */
  readonly change: AskedChange | undefined;
}

export interface AskedChange {
  readonly operation: AdmissionOperation;
  readonly namespace: string;
  readonly name: string;
  /** As they came; undefined where there is none. */
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}

export interface AdmissionAnswer {
  readonly isAllowed: boolean;
  /** Each for a line on the writer's screen. */
  readonly warnings: readonly string[];
  /** Of one that is refused; "" for others. */
  readonly message: string;
}

export const allowed: AdmissionAnswer = { isAllowed: true, warnings: [], message: "" };

const apiVersion = "admission.k8s.io/v1";
const kind = "AdmissionReview";
/** An object of Kubernetes with its managed fields has about 20. */
const depthMax = 100;
/** An object of Kubernetes has some hundreds; both together are compared, and read, in one go. */
const valuesMax = 10_000;
const uidCharsMax = 128;
const operations: ReadonlySet<string> = new Set(["CREATE", "UPDATE", "DELETE"]);

/** @throws AdmissionError */
export function parseAdmissionReview(text: string): AdmissionAsked {
  const { depth, values } = measureJson(text);
  if (depth > depthMax) {
    throw new AdmissionError("admission-too-deep", `expected at most ${depthMax} levels, got more`);
  }
  if (values > valuesMax) {
    const message = `expected at most ${valuesMax} values, got more`;
    throw new AdmissionError("admission-too-large", message);
  }
  const review = parseJson(text);
  if (review["apiVersion"] !== apiVersion || review["kind"] !== kind) {
    throw malformed(`${kind} of ${apiVersion}`);
  }
  const request = objectIn(review, "request");
  const uid = textIn(request, "uid");
  if (uid === "" || uid.length > uidCharsMax) throw malformed("a request with its uid");
  return {
    uid,
    username: textIn(objectIn(request, "userInfo"), "username"),
    isDryRun: request["dryRun"] === true,
    change: changeIn(request),
  };
}

export function admissionReview(uid: string, answer: AdmissionAnswer): JsonObject {
  const { isAllowed, warnings, message } = answer;
  return {
    apiVersion,
    kind,
    response: {
      uid,
      allowed: isAllowed,
      ...(!isAllowed && { status: { code: 403, reason: "Forbidden", message } }),
      ...(warnings.length > 0 && { warnings }),
    },
  };
}

function changeIn(request: JsonObject): AskedChange | undefined {
  const { group, resource } = objectIn(request, "resource");
  const operation = textIn(request, "operation");
  const isOurs = group === "security.istio.io" && resource === "peerauthentications";
  if (!isOurs || !isOperation(operation) || textIn(request, "subResource") !== "") return undefined;
  const [before, after] = [objectOr(request["oldObject"]), objectOr(request["object"])];
  const { metadata } = after ?? before ?? {};
  const head = isJsonObject(metadata) ? metadata : {};
  return {
    operation,
    namespace: textIn(request, "namespace") || textIn(head, "namespace"),
    name: textIn(request, "name") || textIn(head, "name"),
    before,
    after,
  };
}

function isOperation(text: string): text is AdmissionOperation {
  return operations.has(text);
}

function parseJson(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // The same as for any other value.
  }
  throw malformed("an object of JSON");
}

function objectOr(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

function objectIn(of: JsonObject, field: string): JsonObject {
  return objectOr(of[field]) ?? {};
}

function textIn(of: JsonObject, field: string): string {
  const value = of[field];
  return typeof value === "string" ? value : "";
}

function malformed(expected: string): AdmissionError {
  return new AdmissionError("admission-malformed", `expected ${expected}, got something else`);
}
