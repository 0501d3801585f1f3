/** A server of before a verb: it answers, and the verb says what to do. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { openServerBackup } from "../../src/edge/rpc/backup-client.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { AdminService } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const owned = new AsyncDisposableStack();
const { path } = owned.use(temporaryDirectory());
const socket = join(path, "admin.sock");
const manifest = join(path, "strict.yaml");

before(async () => {
  const grpc = createLocalServer(1_048_576);
  addService(grpc, AdminService, {});
  owned.use(await listenOnUnixSocket(grpc, socket, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  writeFileSync(
    manifest,
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: b}\n",
  );
});
after(() => owned.disposeAsync());

const verbs: readonly (readonly [verb: string, rpc: string])[] = [
  ["status", "GetStatus"],
  ["bundle show", "GetBundle"],
  ["deny add spiffe://td/ns/a/sa/b --reason x", "AddDenial"],
  ["deny list", "ListDenials"],
  ["deny remove 1 --reason x", "RemoveDenial"],
  ["clock accept --reason x", "AcceptClock"],
  ["join-token create --spiffe-id spiffe://td/ns/a/sa/b", "CreateJoinToken"],
  ["audit prune --before 2020-01-01", "PruneLog"],
  ["root status", "GetRootStatus"],
  ["root prepare", "ChangeRoot"],
  [`apply -f ${manifest}`, "ListResources"],
  ["get", "ListResources"],
  [`diff -f ${manifest}`, "ListResources"],
  ["delete pa a", "ListResources"],
  ["validate", "ListResources"],
  ["mtls explain shop/api:80", "ListResources"],
  [`mtls diff -f ${manifest}`, "ListResources"],
  ["mtls status", "GetPolicyStatus"],
];

for (const [verb, rpc] of verbs) {
  test(`${verb.split(" -")[0]} says that the server is older, and what to do`, async () => {
    const { code, err } = await run(...verb.split(" "), "--admin", `unix://${socket}`);
    assert.equal(code, 1, err);
    assert.match(err, new RegExp(`^error: the server is older than this command: .*${rpc}\n`));
    assert.match(err, /\nhint: .*portcullis status.*/);
  });
}

test("a backup says it, too", async () => {
  const never = new AbortController().signal;
  await assert.rejects(openServerBackup(`unix://${socket}`, "ada", never), {
    code: "server-too-old",
    message: /does not know Backup$/,
  });
});

async function run(...argv: readonly string[]) {
  let err = "";
  const code = await runCli(argv, {
    stdout: { write: () => {} },
    stderr: { write: (text: string) => (err += text) },
    env: { USER: "ada" },
    signal: new AbortController().signal,
    nowMs: Date.now,
    isTty: false,
    columns: 80,
    registry: REGISTRY,
  });
  return { code, err };
}
