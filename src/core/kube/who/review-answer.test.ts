import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { reviewStatus } from "../../../../test/support/kube-objects.ts";
import { readReview } from "./review-answer.ts";

const audiences = ["istio-ca", "portcullis"];

it("reads whose token it is, and to what it is bound", () => {
  assert.deepEqual(readReview(reviewStatus(), audiences), {
    kind: "authenticated",
    namespace: "shop",
    serviceAccount: "cart",
    serviceAccountUid: "account-uid",
    pod: { name: "cart-1", uid: "pod-uid" },
    node: { name: "node-1", uid: "node-uid" },
  });
});

it("reads a token of an account alone", () => {
  const answer = readReview(reviewStatus({}, { extra: undefined }), audiences);
  assert.deepEqual("pod" in answer && [answer.pod, answer.node], [undefined, undefined]);
});

const extra = (pairs: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  extra: Object.fromEntries(
    Object.entries(pairs).map(([name, value]) => [`authentication.kubernetes.io/${name}`, value]),
  ),
});

describe("a token", () => {
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ["without a status", undefined, /expected a status/],
    ["with a status that is a list", [], /expected a status/],
    [
      "with an error",
      reviewStatus({ error: "the token has expired" }),
      /the API server says: the token has expired/,
    ],
    ["with an error, although it is authenticated", reviewStatus({ error: "x" }), /says: x/],
    ["with an error that is no text", reviewStatus({ error: {} }), /an error without words/],
    ["that is not authenticated", reviewStatus({ authenticated: false }), /does not know/],
    ["of which that is not said", reviewStatus({ authenticated: undefined }), /does not know/],
    ["of which that is said in a text", reviewStatus({ authenticated: "true" }), /does not know/],
    [
      "for another audience",
      reviewStatus({ audiences: ["vault"] }),
      /expected audience "istio-ca" or "portcullis", got "vault"/,
    ],
    ["for no audience", reviewStatus({ audiences: [] }), /got none/],
    [
      "of an API server that knows no audiences",
      reviewStatus({ audiences: undefined }),
      /got none/,
    ],
    ["with audiences in one text", reviewStatus({ audiences: "istio-ca" }), /got none/],
    ["without a user", { ...reviewStatus(), user: undefined }, /expected a user/],
    ["of a user of no group", reviewStatus({}, { groups: [] }), /expected a service account/],
    [
      "of a node",
      reviewStatus({}, { username: "system:node:n1", groups: ["system:nodes"] }),
      /expected a service account, got "system:node:n1"/,
    ],
    [
      "with a name of three parts",
      reviewStatus({}, { username: "system:serviceaccount:cart" }),
      /expected system:serviceaccount:NAMESPACE:NAME/,
    ],
    [
      "with a name of five parts",
      reviewStatus({}, { username: "system:serviceaccount:shop:cart:x" }),
      /expected system:serviceaccount:NAMESPACE:NAME/,
    ],
    [
      "with a name that no account can have",
      reviewStatus({}, { username: "system:serviceaccount:shop:Cart" }),
      /expected system:serviceaccount:NAMESPACE:NAME/,
    ],
    ["without a name", reviewStatus({}, { username: undefined }), /expected system:service/],
    ["without its account's UID", reviewStatus({}, { uid: undefined }), /account's UID/],
    ["with an empty UID", reviewStatus({}, { uid: "" }), /account's UID/],
    [
      "with a pod's name alone",
      reviewStatus({}, extra({ "pod-name": ["cart-1"] })),
      /a pod's name and its UID/,
    ],
    [
      "with a pod's UID alone",
      reviewStatus({}, extra({ "pod-uid": ["u"] })),
      /a pod's name and its UID/,
    ],
    [
      "with two pods",
      reviewStatus({}, extra({ "pod-name": ["a", "b"], "pod-uid": ["u"] })),
      /a pod's name and its UID/,
    ],
  ];
  for (const [verdict, status, why] of refused) {
    it(`is refused ${verdict}`, () => {
      const answer = readReview(status, audiences);
      assert.ok(answer.kind === "refused");
      assert.match(answer.why, why);
    });
  }

  it("is refused when any part of the answer is missing or of another type", () => {
    const paths = [
      ["authenticated"],
      ["audiences"],
      ["user"],
      ["user", "username"],
      ["user", "groups"],
      ["user", "uid"],
    ];
    const wrong = [undefined, null, 0, 1, false, "", [], [true], {}, { 0: "istio-ca" }];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.constantFrom(...wrong), (path, value) => {
        const status = structuredClone(reviewStatus());
        const [last = "", ...parents] = path.toReversed();
        const parent = parents.reduceRight<unknown>(
          (of, name) => Reflect.get(Object(of), name),
          status,
        );
        Reflect.set(Object(parent), last, value);
        assert.equal(readReview(status, audiences).kind, "refused");
      }),
    );
  });

  it("is refused in words of one short line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (error) => {
        const answer = readReview(reviewStatus({ error: `e${error.repeat(20)}` }), audiences);
        assert.match("why" in answer ? answer.why : "", /^[\x20-\x7e]{1,400}$/);
      }),
    );
  });
});
