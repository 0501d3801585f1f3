/** An Envoy of a node agent says whose it is also on the streams that are configured over ADS: its access log. */

import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { streamToken } from "../../src/app/agent/stream-token.ts";
import type { FindPeer } from "../../src/app/agent/xds-calls.ts";
import type { SdsCredential } from "../../src/core/envoy/tls-context.ts";
import { callPlain, tcpMessage } from "../policy-envoy/caller.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { ConnectionScene } from "./scene.ts";

test("brings the token of the bootstrap", async () => {
  const token = "a-b.c_d";
  await using scene = await openScene({ kind: "token", token }, () => token);
  await assertTold(scene);
});

test("brings the token that its file has when the stream begins, as Kubernetes writes it", async () => {
  using directory = temporaryDirectory();
  writeToken(directory.path, "first");
  symlinkSync("..data/token", join(directory.path, "token"));
  let token = "first";
  const path = join(directory.path, "token");
  await using scene = await openScene({ kind: "token-file", path }, () => token);
  await assertTold(scene);
  scene.killAgent();
  token = "second";
  writeToken(directory.path, token);
  await scene.startAgent(undefined);
  await assertTold(scene);
});

/** @param token that each stream must bring */
async function openScene(credential: SdsCredential, token: () => string): Promise<ConnectionScene> {
  const findPeer =
    (anybody: FindPeer): FindPeer =>
    (metadata) => {
      if (streamToken(metadata) === token()) return anybody(metadata);
      return { code: status.UNAUTHENTICATED, details: "another token" };
    };
  return ConnectionScene.open({ credential, findPeer });
}

async function assertTold(scene: ConnectionScene): Promise<void> {
  const ports = await scene.listen([{ protocol: "tcp", mode: "permissive" }]);
  const [{ port } = { port: 0 }] = ports;
  await scene.told(ports);
  await callPlain(port, tcpMessage);
  const told = await scene.told(ports);
  assert.equal(told.seen(port)[0]?.kind, "plaintext");
  assert.deepEqual(told.lost(port), { unmeshed: 0, meshed: 0 });
}

/** Files in a directory of their own, and a link to it that is replaced. */
function writeToken(directory: string, token: string): void {
  const version = join(directory, `..${token}`);
  mkdirSync(version);
  writeFileSync(join(version, "token"), token);
  symlinkSync(version, join(directory, "..next"));
  renameSync(join(directory, "..next"), join(directory, "..data"));
}
