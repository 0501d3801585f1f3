/** `kill -9` before and after each durable write of a rotation: the next start goes on from what is stored, whatever it is. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { rotatingProgram } from "./rotation-process.ts";
import * as rig from "./rotation-rig.ts";

const preload = join(import.meta.dirname, "../rotation/kill-when-armed.ts");
const steps = ["prepare", "activate", "retire"];

/** @returns what it died of; null where the order names a write that it does not make */
async function rotateUntil(dataDir: string, scratch: string, order: string) {
  const armed = join(scratch, "armed");
  const args = ["--import", preload, rotatingProgram, dataDir, armed, order, ...steps];
  // What a killed process leaves goes with the scratch directory.
  const env = { ...process.env, PORTCULLIS_TEST_ARMED: armed, TMPDIR: scratch };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const [code, signal] = await once(child, "exit");
  if (signal === null) assert.equal(code, 0);
  const seen = existsSync(`${armed}.seen`) ? readFileSync(`${armed}.seen`, "utf8") : "";
  return signal === null ? undefined : (seen.trimEnd().split("\n").at(-1) ?? "");
}

/** What is trusted, and what the store and the log say of it. */
function assertWhole({ controlPlane, config }: TestControlPlane): void {
  const { bundle, authority, state } = controlPlane.trust;
  const roots = readFileSync(join(config.dataDir, "root-cert.pem"), "utf8");
  assert.equal(roots.split("BEGIN CERTIFICATE").length - 1, bundle.roots.length);
  assert.ok(state.authorities.some(({ id }) => id === authority.signer.id));
  const told = rig.eventsOf(config.dataDir, "trust-changed").at(-1);
  for (const { id, state: step } of state.authorities) {
    assert.ok(told?.detail.includes(`${id} ${step}`), "the log does not have what is in force");
  }
}

/** From wherever it stands. */
async function finish(it: TestControlPlane): Promise<void> {
  for (let count = 0; count < 4; count++) {
    const states = rig.states(it);
    if (states.includes("prepared")) await rig.step(it, "activate");
    else if (states.includes("retiring")) await rig.step(it, "retire");
    else if (it.controlPlane.trust.state.retired.length === 0) await rig.prepare(it);
    else break;
  }
  await eventually(() => it.controlPlane.trust.state.retired.every((each) => each.confirmed));
}

describe("a rotation that is killed", () => {
  for (const moment of ["before", "after"]) {
    it(`${moment} any of its durable writes is as it was, and goes on to its end`, async (t) => {
      const died: string[] = [];
      for (let number = 1; ; number++) {
        using scratch = temporaryDirectory();
        const dataDir = join(scratch.path, "data");
        await (await startControlPlane({ flags: { "data-dir": dataDir } }))[Symbol.asyncDispose]();
        const write = await rotateUntil(dataDir, scratch.path, `${moment}:${number}`);
        if (write === undefined) break;
        died.push(write);
        await using it = await startControlPlane({ flags: { "data-dir": dataDir } });
        assertWhole(it);
        await finish(it);
        assertWhole(it);
        assert.deepEqual(
          [rig.states(it), it.controlPlane.trust.bundle.roots.length],
          [["active"], 1],
        );
      }
      t.diagnostic(`killed at ${died.join(", ")}`);
      for (const name of ["trust-replace", "log-commit", "fact-remember", "file-replace"]) {
        assert.ok(died.includes(name), name);
      }
    });
  }
});
