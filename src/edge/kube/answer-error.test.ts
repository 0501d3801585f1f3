import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { answerError, eventError } from "./answer-error.ts";

const status = (message: string): string => JSON.stringify({ kind: "Status", message });

describe("an answer of the API server", () => {
  const table: readonly (readonly [number, string])[] = [
    [400, "kube-invalid"],
    [401, "kube-unauthorized"],
    [403, "kube-forbidden"],
    [404, "kube-not-found"],
    [409, "kube-conflict"],
    [410, "kube-gone"],
    [422, "kube-invalid"],
    [429, "kube-throttled"],
    [500, "kube-unavailable"],
    [503, "kube-unavailable"],
    [504, "kube-unavailable"],
    [302, "kube-answer"],
    [418, "kube-answer"],
  ];
  for (const [code, expected] of table) {
    it(`is ${expected} with ${code}`, () => {
      const error = answerError("GET /x", { status: code, text: status("no") });
      assert.deepEqual([error.code, error.message], [expected, `GET /x: ${code} no`]);
    });
  }

  it("says how long it asks to be left alone, within 5 minutes", () => {
    const after = (retryAfter: string | undefined): number | undefined =>
      answerError("GET /x", { status: 429, text: "", retryAfter }).retryAfterMs;
    assert.deepEqual(["1", "0", "999999", "soon", "-1", "1.5", "", undefined].map(after), [
      1_000,
      0,
      300_000,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("that forbids hints at the line of RBAC that is missing", () => {
    const text =
      'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" at the cluster scope';
    assert.equal(
      answerError("GET /x", { status: 403, text: status(text) }).hint,
      'add to the ClusterRole of system:serviceaccount:a:b: apiGroups: [""], resources: ["pods"], verbs: ["list"]',
    );
    const { hint } = answerError("GET /x", { status: 403, text: "no" });
    assert.equal(hint, "look at the ClusterRole of our service account");
  });

  it("is one short line whatever comes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 300, max: 599 }),
        fc.string({ unit: "binary" }),
        (code, text) => {
          for (const each of [text.repeat(50), status(text.repeat(50))]) {
            assert.match(
              answerError("GET /x", { status: code, text: each }).message,
              /^[\x20-\x7e]{1,550}$/,
            );
          }
        },
      ),
    );
  });
});

it("an event's error is that of its status, or a fault of the API server", () => {
  const gone = {
    kind: "Status",
    code: 410,
    message: "too old resource version",
    reason: "Expired",
  };
  assert.equal(eventError("watch /x", gone).code, "kube-gone");
  assert.equal(eventError("watch /x", {}).code, "kube-unavailable");
});
