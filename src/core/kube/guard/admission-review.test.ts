import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { PortcullisError } from "../../error.ts";
import { admissionReview, parseAdmissionReview } from "./admission-review.ts";
import { measureJson } from "./json-measure.ts";

const object = { metadata: { name: "api", namespace: "shop" }, spec: {} };
const request = {
  uid: "0000-1",
  operation: "CREATE",
  resource: { group: "security.istio.io", version: "v1beta1", resource: "peerauthentications" },
  namespace: "shop",
  name: "api",
  userInfo: { username: "ada" },
  object,
};
const reviewOf = (more: object = {}, of: object = {}): string =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { ...request, ...more },
    ...of,
  });

describe("an AdmissionReview", () => {
  it("is read: who, what, before and after", () => {
    assert.deepEqual(parseAdmissionReview(reviewOf()), {
      uid: "0000-1",
      username: "ada",
      isDryRun: false,
      change: {
        operation: "CREATE",
        namespace: "shop",
        name: "api",
        before: undefined,
        after: object,
      },
    });
    const deleted = { operation: "DELETE", object: null, oldObject: object, dryRun: true };
    const { change, isDryRun } = parseAdmissionReview(reviewOf(deleted));
    assert.deepEqual([change?.before, change?.after, isDryRun], [object, undefined, true]);
  });

  it("has the name that the API server has made for the object", () => {
    assert.equal(parseAdmissionReview(reviewOf({ name: "" })).change?.name, "api");
  });

  it("of anything else is about no change", () => {
    const others = [
      { operation: "CONNECT" },
      { subResource: "status" },
      { resource: { group: "networking.istio.io", resource: "peerauthentications" } },
      { resource: { group: "security.istio.io", resource: "authorizationpolicies" } },
      { resource: null },
    ];
    for (const more of others) assert.equal(parseAdmissionReview(reviewOf(more)).change, undefined);
  });

  it("is refused when it is none", () => {
    const wrong = [
      "",
      "[]",
      "null",
      "{",
      reviewOf({}, { kind: "TokenReview" }),
      reviewOf({}, { apiVersion: "admission.k8s.io/v1beta1" }),
      reviewOf({ uid: "" }),
      reviewOf({ uid: "u".repeat(200) }),
      reviewOf({}, { request: undefined }),
    ];
    for (const text of wrong) {
      assert.throws(() => parseAdmissionReview(text), { code: "admission-malformed" }, text);
    }
  });

  it("is refused before it is parsed when it is too deep", () => {
    const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    assert.throws(() => parseAdmissionReview(deep), { code: "admission-too-deep" });
  });

  it("ends in nothing but typed errors, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => `{"request":${text}}`),
        ),
        (text) => {
          try {
            parseAdmissionReview(text);
          } catch (error) {
            assert.ok(error instanceof PortcullisError);
          }
        },
      ),
    );
  });

  it("has no more values than an object of Kubernetes", () => {
    const many = (count: number): string => JSON.stringify({ x: Array(count).fill(0) });
    assert.throws(() => parseAdmissionReview(many(10_000)), { code: "admission-too-large" });
    assert.throws(() => parseAdmissionReview(many(9_000)), { code: "admission-malformed" });
  });

  it("is answered under its uid, with 403 for a no alone", () => {
    const warned = { isAllowed: true, warnings: ["a"], message: "" };
    assert.deepEqual(admissionReview("7", warned)["response"], {
      uid: "7",
      allowed: true,
      warnings: ["a"],
    });
    const refused = { isAllowed: false, warnings: [], message: "no" };
    assert.deepEqual(admissionReview("7", refused)["response"], {
      uid: "7",
      allowed: false,
      status: { code: 403, reason: "Forbidden", message: "no" },
    });
  });
});

describe("the measure of a JSON text", () => {
  it("has the depth of its value, and no fewer values than it", () => {
    const depthOf = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
        : 0;
    const countOf = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? Object.values(value).reduce((sum: number, each) => sum + countOf(each), 1)
        : 1;
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const [text, depth] = [JSON.stringify(value), depthOf(value)];
        const measured = measureJson(text);
        assert.equal(measured.depth, depth);
        assert.ok(measured.values >= countOf(JSON.parse(text)));
      }),
    );
  });
});
