import assert from "node:assert/strict";
import { test } from "node:test";
import { agentCluster } from "./agent-cluster.ts";
import { BootstrapError } from "./bootstrap.ts";
import type { SdsCredential } from "./tls-context.ts";

const path = "/run/portcullis/sds.sock";
const textOf = (credential: SdsCredential): string =>
  JSON.stringify(agentCluster(path, credential));

test("says nothing of whose Envoy it is where nobody asks", () => {
  assert.doesNotMatch(textOf({ kind: "none" }), /http_filters|authorization/);
});

test("brings the token on each stream, and what the file has then", () => {
  assert.match(textOf({ kind: "token", token: "a.b.c" }), /"value":"Bearer a\.b\.c"/);
  assert.match(
    textOf({ kind: "token-file", path: "/var/run/tokens/own" }),
    /"value":"Bearer %FILE_CONTENT\(\/var\/run\/tokens\/own:\/var\/run\/tokens\)%"/,
  );
});

for (const file of ["/a:b/token", "/a(b)/token", "/a%b/token"]) {
  test(`refuses a path that Envoy would not read as one: ${file}`, () => {
    assert.throws(
      () => agentCluster(path, { kind: "token-file", path: file }),
      (error) => error instanceof BootstrapError && error.code === "token-path-invalid",
    );
  });
}
