import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gonePodOf, type PodLeaf } from "./gone-pod.ts";

const leaf = (podUid: string, notAfterMs = 9_000): PodLeaf => {
  return { agent: "a", pod: "api-6", podUid, notAfterMs };
};

const now =
  (uid?: string) =>
  (pod: string): string | undefined =>
    pod === "api-6" ? uid : undefined;

describe("the pod of an agent of which nobody hears", () => {
  it("is gone where none of its certificates is of one that is there, until the last of them ends", () => {
    assert.deepEqual(gonePodOf([leaf("one", 5_000), leaf("one")], now()), {
      absence: "pod-gone",
      absentUntilMs: 9_000,
    });
  });

  it("is an earlier one where another has its name", () => {
    assert.deepEqual(gonePodOf([leaf("one")], now("two")), {
      absence: "earlier-pod",
      absentUntilMs: 9_000,
    });
  });

  it("is not known to be gone where one may be there: by its UID, or as a certificate names none", () => {
    assert.equal(gonePodOf([leaf("one"), leaf("two")], now("two")), undefined);
    assert.equal(gonePodOf([leaf("one"), leaf("")], now("two")), undefined);
    assert.equal(gonePodOf([], now()), undefined);
  });
});
