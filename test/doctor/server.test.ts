/** `portcullis doctor` of a server in no cluster: what breaks is found, by its check. */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  AdminService,
  GetStatusResponseSchema,
  type GetStatusResponse,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { meshIdentity, openMeshStream } from "../server/mesh-client.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { eventually, startControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { diagnose } from "./diagnose.ts";

describe("a server in no cluster", () => {
  it("is well but for its version, and says of each check of a cluster why it is skipped", async () => {
    await using server = await startControlPlane();
    const it = await diagnose(["--data-dir", server.config.dataDir]);
    const trouble = it.all.filter(({ status }) => status === "warning" || status === "critical");
    assert.deepEqual(
      trouble.map(({ id }) => id),
      ["versions"],
    );
    assert.equal(it.code, 3);
    assert.deepEqual(
      [it.of("rbac").status, it.of("rbac").finding],
      ["skipped", "the server is in no cluster"],
    );
    assert.match(it.of("ports").finding, /^the CA at 127\.0\.0\.1:\d+, metrics at/);
  });

  it("is told that others may enter its data directory, and that evidence was set aside", async () => {
    await using server = await startControlPlane();
    const { dataDir } = server.config;
    writeFileSync(join(dataDir, "evidence.db.aside-20261130T000000Z"), "");
    chmodSync(join(dataDir, "evidence.db"), 0o640);
    const it = await diagnose(["--data-dir", dataDir]);
    assert.match(it.of("data-dir").finding, /others may enter or read .*evidence\.db$/);
    assert.match(it.of("evidence").finding, /aside-20261130T000000Z; what is kept begins at/);
    assert.equal(it.code, 4);
  });

  it("names a port where something else answers", async () => {
    await using other = createServer((socket) => {
      socket.on("error", () => {}).resume();
      socket.end("nothing");
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    other.listen(0, "127.0.0.1", resolve);
    await promise;
    await using server = await startControlPlane();
    const { endpoints } = server.controlPlane;
    const { dataDir } = server.config;
    const address = other.address();
    assert.ok(typeof address === "object" && address !== null);
    const ca = `127.0.0.1:${address.port}`;
    writeFileSync(join(dataDir, "endpoints.json"), JSON.stringify({ ...endpoints, ca }), {
      mode: 0o600,
    });
    const it = await diagnose(["--data-dir", dataDir]);
    assert.equal(it.of("ports").status, "critical");
    assert.match(it.of("ports").finding, new RegExp(`^the CA at ${ca}: `));
  });

  it("names a jump of its clock, with the command that accepts it, and its address", async () => {
    await using server = await startControlPlane();
    server.jump(3_600_000);
    const { dataDir } = server.config;
    const it = await diagnose(["--data-dir", dataDir]);
    assert.match(it.of("clock-jump").finding, /jumped by 3600 s/);
    assert.ok(it.of("clock-jump").hint.includes(`portcullis clock accept --data-dir ${dataDir}`));
    assert.match(it.of("signing").finding, /the clock has jumped/);
    assert.match(it.of("own-clock").finding, /the clock of this machine is \d+ s behind/);
    assert.equal(it.code, 4);
  });

  it("counts the versions that its agents have said, and tells of a clock that is off", async () => {
    await using server = await startControlPlane();
    using stream = openMeshStream(server, await meshIdentity(server, "cart"));
    const agent = { agentId: "old", agentVersion: "0.0.1", bundleSequence: 0n };
    const agentTime = timestampFromMs(Date.now() - 180_000);
    stream.send({ case: "hello", value: { ...agent, agentTime } });
    await eventually(() => stream.received.length > 0);
    const it = await diagnose(["--data-dir", server.config.dataDir]);
    assert.match(
      it.of("agents").finding,
      /^1 agents of version 0\.0\.1, and the server is 0\.0\.0/,
    );
    assert.match(it.of("clocks").finding, /an agent's clock was seen to be off by 18\d s/);
    assert.equal(it.of("clocks").status, "critical");
  });

  it("prints a table, and what to do under it", async () => {
    await using server = await startControlPlane();
    const { stdout, status } = await runVerb(["doctor", "--data-dir", server.config.dataDir]);
    assert.equal(status, 3);
    assert.match(stdout, /^CHECK +STATUS +FINDING\nserver +ok +it answers at unix:/);
    assert.match(stdout, /\n\nversions: use the portcullis of the server's version\n$/);
  });

  it("that does not run is an error, and no finding", async () => {
    const it = await diagnose(["--admin", "unix:///nowhere/admin.sock"]);
    assert.deepEqual([it.code, it.all], [1, []]);
    assert.match(it.stderr, /no server answers at unix:\/\/\/nowhere/);
  });
});

it("asks an older server for what it knows, and skips the rest", async () => {
  await using owned = new AsyncDisposableStack();
  const { path } = owned.use(temporaryDirectory());
  const socket = join(path, "admin.sock");
  const grpc = createLocalServer(1_048_576);
  const answer = { server: { version: "0.0.1", problems: ["the disk is full"], logAlarms: 1 } };
  addService(grpc, AdminService, {
    getStatus: (_: unknown, reply: (error: null, response: GetStatusResponse) => void) =>
      reply(null, create(GetStatusResponseSchema, answer)),
  });
  owned.use(await listenOnUnixSocket(grpc, socket, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const it = await diagnose(["--admin", `unix://${socket}`]);
  assert.match(it.of("signing").finding, /the disk is full/);
  assert.equal(it.of("log").status, "critical");
  assert.match(it.of("versions").finding, /the server 0\.0\.1/);
  assert.deepEqual(
    [it.of("rbac").status, it.of("rbac").finding],
    ["skipped", "the server is older than this command"],
  );
  assert.equal(it.code, 4);
});
