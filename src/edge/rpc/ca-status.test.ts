/** When a caller of the CA is to come again: where the API server behind us has asked for time, by its word. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { KubeError } from "../kube/kube-error.ts";
import { CaCallError, refusalOf, refusalStatus } from "./ca-status.ts";

const unavailable = (cause?: unknown): AuthnError =>
  new AuthnError("identities-unavailable", "the API server cannot be asked", { cause });
const throttled = (retryAfterMs?: number): KubeError =>
  new KubeError("kube-throttled", "POST: 429", { retryAfterMs });

describe("a caller whom nobody can look up", () => {
  const table: readonly (readonly [string, Error, number])[] = [
    ["after a second", unavailable(), 1_000],
    ["after a second, where the API server has not said when", unavailable(throttled()), 1_000],
    ["when the API server has said", unavailable(throttled(7_000)), 7_000],
    ["never sooner than in a second", unavailable(throttled(1)), 1_000],
    ["never later than in half a minute", unavailable(throttled(300_000)), 30_000],
    [
      "by what is further back, too",
      unavailable(new Error("asked", { cause: throttled(7_000) })),
      7_000,
    ],
  ];
  for (const [title, error, expected] of table) {
    it(`comes again ${title}`, () => {
      const { metadata } = refusalStatus(refusalOf(error), "1");
      assert.deepEqual(metadata?.get("grpc-retry-pushback-ms"), [String(expected)]);
    });
  }

  it("is not kept by errors that name each other as their cause", () => {
    const [a, b] = [new Error("a"), new Error("b")];
    [a.cause, b.cause] = [b, a];
    assert.equal(refusalOf(unavailable(a)).retryAfterMs, 1_000);
  });
});

it("a refusal that time does not mend says no time, whatever led to it", () => {
  const error = new CaCallError("message-too-large", "no", { cause: throttled(7_000) });
  assert.equal(refusalOf(error).retryAfterMs, undefined);
});
