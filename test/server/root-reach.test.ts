/** Verbs that find a server by its directory while it is starting, or has just been killed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { writeEndpoints, writeStarting } from "../../src/edge/config/endpoints.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { RotationFake } from "./root-moves.ts";
import { openRootRig, runWith, type RootRig } from "./root-rig.ts";

const dead = spawnSync("true").pid;
const elsewhere = { ca: "h:1", metrics: "http://h:2" };

/** A rotation that waits for nothing. */
async function openRig(directory: string, name: string): Promise<RootRig> {
  const rig = await openRootRig(directory, name);
  const rotation = new RotationFake();
  rotation.shape = { b: "prepared", a: "active" };
  rig.status = () => rotation.status();
  rig.change = (request) => rotation.change(request);
  return rig;
}

describe("a server that is starting", () => {
  it("is found where it listens for operators already, as it does while it waits for its clock", async () => {
    using directory = temporaryDirectory();
    await writeStarting(directory.path);
    await using _ = await openRig(directory.path, "admin.sock");
    const { stdout, stderr } = await runWith(["root", "status", "--data-dir", directory.path]);
    assert.equal(stderr, "");
    assert.match(stdout, /^activate /m);
  });

  it("is not said to be gone where it does not listen yet", async () => {
    using directory = temporaryDirectory();
    await writeStarting(directory.path);
    const { status, stderr } = await runWith(["root", "status", "--data-dir", directory.path]);
    assert.equal(status, 1);
    assert.match(stderr, /the server \(pid \d+\) is starting\nhint: try again in a moment\n$/);
  });

  for (const [title, before] of [
    ["", writeStarting],
    [
      " even if only the address of the killed one is there",
      (path: string) => writeEndpoints(path, { ...elsewhere, pid: dead, admin: "unix:///gone" }),
    ],
  ] as const) {
    it(`is waited for by a rotation that goes on${title}`, async () => {
      using directory = temporaryDirectory();
      await before(directory.path);
      const said: string[] = [];
      const words = ["root", "rotate", "--resume", "--data-dir", directory.path];
      const rotating = runWith(words, { stderr: { write: (text) => said.push(text) } });
      await eventually(() => said.length > 0);
      await using rig = await openRig(directory.path, "later.sock");
      await writeEndpoints(directory.path, { ...elsewhere, pid: process.pid, admin: rig.admin });
      assert.equal((await rotating).status, 0);
      assert.equal(said.length, 1);
      assert.match(said[0] ?? "", /: the server .*pid \d+.*: waiting for it\n$/);
    });
  }

  for (const [title, before] of [
    ["that is starting", writeStarting],
    ["that was stopped", () => Promise.resolve()],
  ] as const) {
    it(`${title} is waited for no longer than it was asked for, and the time is over then`, async () => {
      using directory = temporaryDirectory();
      await before(directory.path);
      const words = ["root", "rotate", "--resume", "--timeout", "1s", "--data-dir", directory.path];
      const { status, stderr } = await runWith(words);
      assert.equal(status, 3);
      const resume = `next: portcullis root rotate --data-dir ${directory.path} --resume`;
      assert.match(stderr, new RegExp(`^warning: the time is over[^]*^${resume}$`, "m"));
    });
  }
});

describe("a rotation that is to begin", () => {
  it("does not wait for a server that is not there", async () => {
    using directory = temporaryDirectory();
    const admin = `unix://${join(directory.path, "none.sock")}`;
    const { status, stderr } = await runWith(["root", "rotate", "--admin", admin]);
    assert.equal(status, 1);
    assert.match(stderr, /no server answers/);
  });
});
