/**
 * A snapshot of the control plane's machine, put back behind everybody's back: real processes, the whole data directory. The
 * server starts without a word, because nothing in its directory contradicts it. Its agents do.
 */

import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { portcullis } from "../server/portcullis-process.ts";
import { eventually } from "../support/mesh-process.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test(
  "agents find out that the control plane was set back, and go on",
  { timeout: 60_000 },
  async () => {
    using directory = temporaryDirectory();
    await using stack = new AsyncDisposableStack();
    const controlPlane = stack.use(await ControlPlaneProcess.create(directory.path, "600s"));
    await controlPlane.start();
    const [early, late] = [
      stack.use(await Workload.create(controlPlane, { name: "early", appPort: 1 })),
      stack.use(await Workload.create(controlPlane, { name: "late", appPort: 1 })),
    ];
    await early.startAgent();
    await eventually("a leaf in the log", () => early.agent.log("log-leaf-found").length > 0);

    // Or it would see what is going to be lost.
    await early.agent[Symbol.asyncDispose]();
    const seen = noteOf(early);
    await controlPlane.process[Symbol.asyncDispose]();
    const snapshot = join(directory.path, "snapshot");
    cpSync(controlPlane.dataDir, snapshot, { recursive: true });

    await controlPlane.start();
    await late.startAgent();
    await eventually("a leaf in the log", () => late.agent.log("log-leaf-found").length > 0);
    const held = noteOf(late);
    await controlPlane.process.kill();
    rmSync(controlPlane.dataDir, { recursive: true });
    cpSync(snapshot, controlPlane.dataDir, { recursive: true });

    await controlPlane.start();
    await eventually("an alarm at the agent", () => late.agent.log("log-rollback").length > 0);
    await eventually("alarms at the server", () => {
      const by = new Set(controlPlane.process.log("log-alarm").map((line) => line["by"]));
      return by.size === 2;
    });
    assert.equal(noteOf(late), held);
    assert.equal(late.agent.isRunning, true);
    // The one that has seen nothing of what was lost has nothing to say, and follows.
    await early.startAgent();
    await eventually("a newer checkpoint", () => noteOf(early) !== seen);

    // What was proven does not end with the process, nor with who could say it again.
    await late.agent[Symbol.asyncDispose]();
    await controlPlane.process[Symbol.asyncDispose]();
    await controlPlane.start();
    const { status, stdout } = await portcullis(["status", "--data-dir", controlPlane.dataDir]);
    assert.match(stdout, /ALARMS: 1 /);
    assert.equal(status, 3);
    // What the lost log had signed is waited for, and that, too, outlives both.
    const gates = await portcullis(["root", "status", "--data-dir", controlPlane.dataDir]);
    assert.match(gates.stdout, /class\/lost-owners/);
    assert.deepEqual(early.agent.log("log-rollback"), []);
    assert.deepEqual(early.agent.log("log-fork"), []);
  },
);

function noteOf({ directory }: Workload): string {
  const file = join(directory, "state", "witness.json");
  return String(JSON.parse(readFileSync(file, "utf8")).note);
}
