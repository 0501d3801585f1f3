import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessQuestion, isAllowed, missingPermission, readOperator } from "./reviewed-operator.ts";

const audience = "portcullis-admin";
const user = { username: "oidc:alice", uid: "7", groups: ["ops", 3], extra: { scopes: ["a"] } };
const status = { authenticated: true, audiences: [audience], user };

describe("readOperator", () => {
  it("takes any user of the cluster, with all that RBAC may go by", () => {
    const read = readOperator(status, audience);
    assert.ok(read.kind === "authenticated");
    const { username, uid, groups, extra } = read;
    assert.deepEqual(
      [username, uid, groups, extra],
      ["oidc:alice", "7", ["ops"], { scopes: ["a"] }],
    );
    assert.deepEqual(accessQuestion(read, { resource: "roots", verb: "retire" }), {
      user: "oidc:alice",
      uid: "7",
      groups: ["ops"],
      extra: { scopes: ["a"] },
      resourceAttributes: { group: "portcullis.io", resource: "roots", verb: "retire" },
    });
  });

  const refused: readonly (readonly [what: string, status: unknown])[] = [
    ["nothing", undefined],
    ["an error", { ...status, error: "expired" }],
    ["no word that it is good", { ...status, authenticated: undefined }],
    ["another audience", { ...status, audiences: ["istio-ca"] }],
    ["an API server that does not know audiences", { ...status, audiences: undefined }],
    ["nobody", { ...status, user: undefined }],
    ["a user without a name", { ...status, user: { ...user, username: "" } }],
  ];
  for (const [what, answer] of refused) {
    it(`refuses ${what}`, () => {
      assert.equal(readOperator(answer, audience).kind, "refused");
    });
  }
});

describe("isAllowed", () => {
  it("takes nothing for a yes but one that nobody denies", () => {
    assert.equal(isAllowed({ allowed: true }), true);
    for (const no of [
      {},
      { allowed: "true" },
      { allowed: false },
      { allowed: true, denied: true },
    ]) {
      assert.equal(isAllowed(no), false);
    }
  });
});

describe("missingPermission", () => {
  const operator = (username: string) =>
    ({ kind: "authenticated", username, uid: "", groups: [], extra: {} }) as const;
  it("names no way to give it to the account that all share", () => {
    const username = "system:serviceaccount:mesh:portcullis-operator";
    const { hint } = missingPermission(operator(username), { resource: "mtls", verb: "flip" });
    assert.match(hint, /use an account of your own .* --serviceaccount=mesh:YOURS$/);
    assert.doesNotMatch(hint, /serviceaccount=mesh:portcullis-operator/);
  });

  const table: readonly (readonly [string, string, string, string])[] = [
    [
      "system:serviceaccount:ops:alice",
      "roots",
      "activate",
      "portcullis-root-operator --serviceaccount=ops:alice",
    ],
    [
      "oidc:bob@example.com",
      "mtls",
      "flip",
      "portcullis-mtls-operator --user=oidc:bob@example.com",
    ],
    ["eve", "backups", "create", "portcullis-admin --user=eve"],
    ["it's me", "status", "get", String.raw`portcullis-viewer --user='it'\''s me'`],
  ];
  for (const [username, resource, verb, end] of table) {
    it(`names ${username} and the role that has ${verb} ${resource}`, () => {
      const { message, hint } = missingPermission(operator(username), { resource, verb });
      assert.equal(message, `${username} may not ${verb} ${resource}.portcullis.io`);
      assert.equal(hint, `kubectl create clusterrolebinding NAME --clusterrole=${end}`);
    });
  }
});
