/** An agent's end: told to stop, it does, whoever still holds a connection to its socket. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SdsClient } from "../support/agent-sds.ts";
import { PortcullisProcess } from "../support/mesh-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** The preface of HTTP/2 (RFC 9113 3.4) and an empty SETTINGS frame. */
const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

test("ends on SIGTERM while a proxy's stream is open and another peer never hangs up", async () => {
  using directory = temporaryDirectory();
  const socketPath = join(directory.path, "sds.sock");
  for (const file of ["root.pem", "token"]) writeFileSync(join(directory.path, file), "x");
  mkdirSync(join(directory.path, "state"), { mode: 0o700 });
  await using agent = await PortcullisProcess.start(
    [
      "agent",
      "--server",
      "127.0.0.1:1",
      "--server-root",
      join(directory.path, "root.pem"),
      "--token-file",
      join(directory.path, "token"),
      "--sds-socket",
      socketPath,
      "--state-dir",
      join(directory.path, "state"),
    ],
    join(directory.path, "agent.log"),
  );
  while (!existsSync(socketPath)) await sleep(10);
  using client = new SdsClient(socketPath);
  client.sotw().send({ resourceNames: ["default"] });
  const peer = connect({ path: socketPath, allowHalfOpen: true });
  peer.on("error", () => {});
  peer.write(preface);
  await sleep(200);
  process.kill(agent.pid, "SIGTERM");
  for (const deadlineMs = Date.now() + 3_000; agent.isRunning && Date.now() < deadlineMs;) {
    await sleep(10);
  }
  assert.equal(agent.isRunning, false);
  peer.destroy();
});
