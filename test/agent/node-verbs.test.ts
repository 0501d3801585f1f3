/** What the command line makes of a node agent, and of an Envoy at one. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runVerb } from "../support/mesh-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const agent = ["agent", "--server", "127.0.0.1:1", "--server-root", "r", "--token-file", "t"];
const places = ["--state-dir", "/nowhere/state", "--sds-socket", "/nowhere/sds.sock"];
const id = "spiffe://cluster.local/ns/mesh/sa/node-agent";

const misuses: readonly (readonly [string, readonly string[]])[] = [
  ["--node without an identity", ["--node"]],
  ["an identity without --node", ["--node-identity", id]],
  ["two trust domains", ["--node", "--node-identity", id, "--trust-domain", "other.test"]],
];

for (const [what, flags] of misuses) {
  test(`agent refuses ${what}`, async () => {
    assert.equal((await runVerb(...agent, ...places, ...flags)).exitCode, 2);
  });
}

test("agent refuses an identity that is none", async () => {
  const { exitCode } = await runVerb(...agent, ...places, "--node", "--node-identity", "node");
  assert.notEqual(exitCode, 0);
});

test("envoy bootstrap names the token's file, or holds the token", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "token");
  writeFileSync(file, "a.b.c");
  const google = await bootstrap(file);
  assert.deepEqual(
    [google.exitCode, google.stdout.includes(file), google.stdout.includes("a.b.c")],
    [0, true, false],
  );
  const envoy = await bootstrap(file, "--sds-grpc", "envoy");
  assert.deepEqual(
    [envoy.exitCode, envoy.stdout.includes(file), envoy.stdout.includes("Bearer a.b.c")],
    [0, false, true],
  );
});

test("envoy bootstrap takes a file that is not there yet for Google's client only", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "token");
  assert.equal((await bootstrap(file)).exitCode, 0);
  assert.equal((await bootstrap(file, "--sds-grpc", "envoy")).exitCode, 1);
});

test("envoy bootstrap refuses a token's file that Google's client could not send", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "token");
  writeFileSync(file, "a.b.c\n");
  assert.equal((await bootstrap(file)).exitCode, 2);
  assert.equal((await bootstrap(file, "--sds-grpc", "envoy")).exitCode, 0);
});

async function bootstrap(tokenFile: string, ...flags: readonly string[]) {
  const sockets = ["--sds-socket", "/run/sds.sock", "--admin-socket", "/run/admin.sock"];
  const rest = ["--node-id", "web", "--inbound", "127.0.0.1:8443=127.0.0.1:8080"];
  return runVerb(
    "envoy",
    "bootstrap",
    ...sockets,
    ...rest,
    "--sds-token-file",
    tokenFile,
    ...flags,
  );
}
