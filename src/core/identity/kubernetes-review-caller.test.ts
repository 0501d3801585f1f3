import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reviewStatus, testHolder } from "../../../test/support/kube-objects.ts";
import { readReview, type ReviewedToken } from "../kube/who/review-answer.ts";
import { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { AuthnError } from "./authn-error.ts";
import { callerFromReview, type ClaimedCaller } from "./kubernetes-review-caller.ts";

const trustDomain = TrustDomain.parse("example.com");

const claimed: ClaimedCaller = {
  ...testHolder(),
  id: SpiffeId.forServiceAccount(trustDomain, "shop", "cart"),
  expiresAtMs: 5_000,
};

function reviewed(changes: Partial<ReviewedToken> = {}): ReviewedToken {
  const answer = readReview(reviewStatus(), ["istio-ca"]);
  assert.ok(answer.kind === "authenticated");
  return { ...answer, ...changes };
}

it("is whom both the token and the API server say, until the token ends", () => {
  const caller = callerFromReview(reviewed(), claimed, trustDomain);
  assert.deepEqual({ ...caller }, { ...claimed });
  assert.ok(Object.isFrozen(caller) && Object.isFrozen(caller.evidence));
});

it("is the same where an old API server says no node", () => {
  const caller = callerFromReview(reviewed({ node: undefined }), claimed, trustDomain);
  assert.deepEqual(caller.evidence.node, { name: "node-1" });
});

describe("an answer about another", () => {
  const table: readonly (readonly [string, Partial<ReviewedToken>, string])[] = [
    ["account", { serviceAccount: "pay" }, "token-subject"],
    ["namespace", { namespace: "other" }, "token-subject"],
    ["account of the same name", { serviceAccountUid: "new" }, "token-claims"],
    ["pod", { pod: { name: "cart-2", uid: "pod-uid" } }, "token-claims"],
    ["pod of the same name", { pod: { name: "cart-1", uid: "new" } }, "token-claims"],
    ["token, without a pod,", { pod: undefined }, "token-claims"],
    ["node", { node: { name: "node-2" } }, "token-claims"],
  ];
  for (const [what, changes, code] of table) {
    it(`${what} is refused`, () => {
      assert.throws(
        () => callerFromReview(reviewed(changes), claimed, trustDomain),
        (error) => error instanceof AuthnError && error.code === code,
      );
    });
  }
});

it("refuses the claims of a token that is bound to nothing, as those of old are", () => {
  const unbound = { ...claimed, evidence: { ...claimed.evidence, serviceAccountUid: undefined } };
  assert.throws(
    () => callerFromReview(reviewed(), unbound, trustDomain),
    (error) => error instanceof AuthnError && error.code === "token-claims",
  );
});
