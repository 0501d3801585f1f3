/**
 * The day when the directory is gone, as docs/disaster-recovery.md has it: a backup while certificates are issued, more are
 * issued, the directory is destroyed, restored, and everybody goes on.
 */

import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import { parseVerifierKey } from "../../src/core/log/note-key.ts";
import { parseRestored, type RestoredRange } from "../../src/core/log/restored.ts";
import { serverSettings } from "../../src/edge/config/server-settings.ts";
import { auditLog } from "../../src/edge/log/log-audit.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { eventually } from "../support/mesh-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { passphraseFile } from "./data-directory.ts";
import { DrillMesh } from "./drill-mesh.ts";

const sizeOf = (note: string): number => Number(note.split("\n")[1]);

async function issueUntil(signal: AbortSignal, mesh: DrillMesh): Promise<number> {
  let count = 0;
  for (; !signal.aborted; count++) await mesh.issue(`busy-${count}`);
  return count;
}

function restoresIn(reader: LogReader): readonly RestoredRange[] {
  return [...reader.entries(0, reader.head().size)].flatMap(({ data }) => {
    const entry = decodeEntry(data);
    const isRecord = entry.kind === "event" && entry.type === "restored";
    return isRecord ? [parseRestored(entry.detail)] : [];
  });
}

async function bundleSequence(dataDir: string): Promise<number> {
  const { stdout } = await runVerb(["status", "--data-dir", dataDir, "-o", "json"]);
  return Number(JSON.parse(stdout).server.bundleSequence);
}

const hasWait = serverSettings().some(({ flag }) => flag === "restore-wait");
const options = { timeout: 90_000, skip: !hasWait && "the server has no --restore-wait yet" };

test("a mesh outlives its control plane's directory", options, async () => {
  using directory = temporaryDirectory();
  const secret = ["--passphrase-file", passphraseFile(directory.path)];
  await using mesh = await DrillMesh.create(directory.path, ["--restore-wait", "5s"]);
  const { dataDir } = mesh;
  await mesh.startServer();
  const early = await mesh.startAgent("early");
  await eventually("a leaf in the log", () => early.log("log-leaf-found").length > 0);

  const file = join(directory.path, "portcullis.backup");
  const busy = new AbortController();
  const issuing = issueUntil(busy.signal, mesh);
  const made = await runVerb(["backup", file, "--data-dir", dataDir, ...secret, "-o", "json"]);
  busy.abort();
  assert.equal(made.status, 0, made.stderr);
  assert.ok((await issuing) > 0);
  const { logSize } = JSON.parse(made.stdout);
  const sequence = await bundleSequence(dataDir);

  const late = await mesh.startAgent("late");
  await eventually("a leaf in the log", () => late.log("log-leaf-found").length > 0);
  const known = sizeOf(mesh.heldBy("late"));
  assert.ok(known > logSize, "the agent knows more than the backup");
  await mesh.server.kill();
  const lost = join(directory.path, "lost");
  renameSync(dataDir, lost);

  const restored = await runVerb(["restore", file, "--data-dir", dataDir, ...secret]);
  assert.equal(restored.status, 0, restored.stderr);
  const [before, now] = [lost, dataDir].map((each) => readFileSync(join(each, "root-cert.pem")));
  assert.deepEqual(now, before);
  // What signs dev's tokens is a cluster's where it matters, and in no backup.
  for (const name of ["token-issuer-key.pem", "jwks.json"]) {
    copyFileSync(join(lost, name), join(dataDir, name));
  }
  await mesh.startServer();
  await assert.rejects(mesh.issue("too-early"), /just been restored/);
  await eventually("the end of the wait", () => mesh.server.log("restored-settled").length > 0);
  await mesh.issue("after");
  await eventually("the agent's consent", () => late.log("log-restored").length > 0);

  for (const agent of [early, late]) {
    assert.ok(agent.isRunning);
    for (const alarm of ["log-rollback", "log-fork"]) assert.deepEqual(agent.log(alarm), []);
    assert.ok(agent.log("mesh-connected").length >= 2, "its certificate is good as before");
    assert.equal(agent.log("certificate-received").length, 1);
  }
  assert.ok(!existsSync(join(dataDir, "restore.json")));
  assert.equal(await bundleSequence(dataDir), sequence + 1_000_000);
  using reader = LogReader.open(dataDir);
  const [begun, settled] = restoresIn(reader);
  assert.deepEqual([begun?.from, begun?.to], [logSize, logSize]);
  assert.equal(settled?.from, logSize);
  assert.ok((settled?.to ?? 0) >= known);
  const { fault } = auditLog(dataDir, [parseVerifierKey(reader.verifierKey())]);
  assert.equal(fault, undefined);
});
