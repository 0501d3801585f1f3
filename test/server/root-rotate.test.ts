/** `root rotate` against a server that a test moves: what they send, wait for, and leave behind. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { RotationFake } from "./root-moves.ts";
import { openRootRig, proxy, runWith, type RootRig } from "./root-rig.ts";

const launcher = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));

describe("an operator", () => {
  const directory = temporaryDirectory();
  let rig: RootRig;
  let rotation: RotationFake;
  before(async () => void (rig = await openRootRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => {
    rotation = new RotationFake();
    rig.changes.length = 0;
    rig.status = () => rotation.status();
    rig.change = (request) => rotation.change(request);
  });
  const run = (words: readonly string[], world = {}) =>
    runWith(["root", ...words, "--admin", rig.admin], world);
  const sent = () =>
    rig.changes.map(({ command, dryRun }) => `${command.case}${dryRun ? "?" : ""}`);

  it("runs a whole rotation with one command, and reads each step once", async () => {
    const { status, stdout, stderr } = await run(["rotate", "--key-type", "p384"]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.deepEqual(sent(), ["prepare", "activate", "retire"]);
    const { command } = rig.changes[0] ?? assert.fail();
    assert.ok(command.case === "prepare" && command.value.keyType === "p384");
    assert.deepEqual(stdout.split("\n"), [
      "prepare: prepare it is",
      "activate: activate it is",
      "retire: retire it is",
      "done: authority b signs, and nobody trusts another",
      "",
    ]);
  });

  it("reads once whom a gate waits for, however often the server is asked", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    // The first answer is for the question whether a rotation is on.
    rotation.closedFor = 3;
    const { status, stdout } = await run(["rotate", "--resume"]);
    assert.equal(status, 0);
    const waits = stdout.split("\n").filter((line) => line.startsWith("step "));
    assert.deepEqual(waits, [
      `step 2 of 6, activate waits: 2/3 verifiers have confirmed the new root; lagging: ${proxy.name} (not-connected)`,
    ]);
  });

  it("has live lines at a terminal of 80 columns, with the time, the counts, and who is waited for", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = 3;
    const { stdout } = await run(["rotate", "--resume"], { isTty: true, columns: 80 });
    const shown = [
      "step 2 of 6: activate waits",
      "  2/3 verifiers have confirmed the new root",
      `  in 3h      not-connected  ${proxy.name}`,
    ].join("\n");
    const [none, first, second, rest] = stdout.replaceAll("\u001B[2A", "").split("\r\u001B[J");
    assert.deepEqual([none, first, second], ["", shown, shown]);
    assert.match(rest ?? "", /^activate: activate it is\n/);
  });

  it("reads both ends of what a narrow terminal cannot show", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = 2;
    const { stdout } = await run(["rotate", "--resume"], { isTty: true, columns: 40 });
    assert.match(stdout, /\n {2}in 3h {6}not-con….*\/shop\/sa\/web\r/);
    const [live = ""] = stdout.split("activate:");
    assert.ok(live.split("\n").every((line) => line.replace(/[^]*\[J/, "").length < 40));
  });

  it("has an object a line with -o json", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = 2;
    const { stdout } = await run(["rotate", "--resume", "-o", "json"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string });
    assert.deepEqual(
      events.map(({ event }) => event),
      ["wait", "activate", "retire", "done"],
    );
  });

  it("leaves the rotation where it is by Ctrl-C, and reads how to go on", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = Number.POSITIVE_INFINITY;
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(), 50);
    const { status, stderr } = await run(["rotate", "--resume"], { signal: interruption.signal });
    // The frame makes 130 of it.
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `interrupted: the rotation stays where it is\nnext: portcullis root rotate --admin ${rig.admin} --resume\n`,
    );
    assert.deepEqual(sent(), []);
  });

  it("has the shell's exit code of Ctrl-C as a process", { timeout: 15_000 }, async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = Number.POSITIVE_INFINITY;
    const words = ["root", "rotate", "--resume", "--admin", rig.admin];
    const child = spawn(launcher, words, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.once("data", () => child.kill("SIGINT"));
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    const [code] = await once(child, "close");
    assert.equal(code, 130);
    assert.match(stderr, /^interrupted: the rotation stays where it is\nnext: /);
  });

  it("waits through a restart of the server, and goes on", { timeout: 15_000 }, async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = Number.POSITIVE_INFINITY;
    const first = await openRootRig(directory.path, "restarted.sock");
    let isAsked = 0;
    first.status = () => {
      if (++isAsked > 2) setImmediate(() => void first[Symbol.asyncDispose]());
      return rotation.status();
    };
    const words = ["root", "rotate", "--resume", "--admin", first.admin];
    let said = "";
    const stdout = { write: (text: string) => (said += text) };
    const outcome = runWith(words, { stdout });
    await eventually(() => said.includes("the server does not answer"));
    await using second = await openRootRig(directory.path, "restarted.sock");
    rotation.closedFor = 0;
    second.status = () => rotation.status();
    second.change = (request) => rotation.change(request);
    assert.equal((await outcome).status, 0);
    assert.match(said, /^step 2 of 6[^]*^the server does not answer[^]*^activate: [^]*^done: /m);
  });

  it("reads that the time is over, with exit code 3", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = Number.POSITIVE_INFINITY;
    const { status, stderr } = await run(["rotate", "--resume", "--timeout", "0s"]);
    assert.equal(status, 3);
    assert.match(
      stderr,
      /^warning: the time is over.*\nnext: .*root status --admin \S+\nnext: .*root rotate --admin \S+ --resume$/m,
    );
  });

  it("is refused a rotation where one is on, and a resumption where none is", async () => {
    const none = await run(["rotate", "--resume"]);
    assert.equal(none.status, 4);
    assert.match(
      none.stderr,
      /^refused: .*got none.*\nhint: portcullis root rotate --admin \S+\n$/,
    );
    rotation.shape = { b: "active", a: "retiring" };
    const on = await run(["rotate"]);
    assert.equal(on.status, 4);
    assert.match(
      on.stderr,
      /^refused: .*got one that is going on.*\nhint: .*\nhint: go on: .*root rotate --admin \S+ --resume\n$/,
    );
    assert.deepEqual(sent(), []);
  });

  it("learns that somebody else has taken it back", async () => {
    rig.change = (request) => {
      const answer = rotation.change(request);
      if (request.command.case === "activate") rotation.shape = { a: "active" };
      return answer;
    };
    const { status, stderr } = await run(["rotate"]);
    assert.equal(status, 4);
    assert.match(
      stderr,
      /^refused: somebody has withdrawn authority b.*\(rotation-changed\)\nhint: /,
    );
  });

  for (const [verb, code, shape] of [
    ["activate", "nothing-prepared", { b: "active", a: "retiring" }],
    ["activate", "trust-changed", { b: "active", a: "retiring" }],
    ["retire", "nothing-to-retire", { b: "active" }],
  ] as const) {
    it(`goes on where somebody else was faster with ${verb} (${code})`, async () => {
      rotation.shape = { b: "prepared", a: "active" };
      rig.change = (request) => {
        if (request.command.case !== verb) return rotation.change(request);
        rotation.shape = shape;
        return { case: "refused", value: { code, message: "expected it, got another" } };
      };
      const { status, stdout, stderr } = await run(["rotate", "--resume"]);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.match(stdout, /^done: authority b signs/m);
    });
  }

  it("does not go on with a rotation that somebody else has begun meanwhile", async () => {
    const value = { code: "rotation-in-progress", message: "expected none, got one" };
    rig.change = () => ({ case: "refused", value });
    assert.equal((await run(["rotate"])).status, 4);
    assert.deepEqual(sent(), ["prepare"]);
  });

  it("says that only the end of the last one is pending, how to wait for it and how to begin the next", async () => {
    rotation.shape = { b: "active", a: "retired" };
    const { status, stderr } = await run(["rotate"]);
    assert.equal(status, 4);
    assert.deepEqual(sent(), []);
    assert.match(stderr, /expected the last rotation to be over, got authority a that is retired/);
    assert.match(stderr, /: portcullis root rotate --admin \S+ --resume$/m);
    assert.match(stderr, /begin the next one at once: portcullis root prepare --admin \S+$/m);
  });

  it("has each refusal as an object on a line with -o json, and nothing else", async () => {
    const refusedBy = async (words: readonly string[], code: string) => {
      const { status, stdout, stderr } = await run(["rotate", ...words, "-o", "json"]);
      assert.deepEqual([status, stderr], [4, ""]);
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      const { event, refused } = JSON.parse(last) as {
        event: string;
        refused: { code: string; next: readonly { command: string }[] };
      };
      assert.deepEqual([event, refused.code], ["refused", code]);
      return refused.next.map(({ command }) => command).join("\n");
    };
    const begin = `portcullis root rotate --admin ${rig.admin}`;
    assert.equal(await refusedBy(["--resume"], "rotation-missing"), begin);
    const value = { code: "key-missing", message: "no key", hint: "put it back" };
    rig.change = () => ({ case: "refused", value });
    assert.match(await refusedBy([], "key-missing"), /^\nportcullis root status --admin \S+$/);
    rotation.shape = { b: "active", a: "retiring" };
    assert.match(await refusedBy([], "rotation-in-progress"), /--resume$/);
  });

  it("has the end of the time and the way to go on as an object with -o json, too", async () => {
    rotation.shape = { b: "prepared", a: "active" };
    rotation.closedFor = Number.POSITIVE_INFINITY;
    const { stdout, stderr } = await run(["rotate", "--resume", "--timeout", "0s", "-o", "json"]);
    assert.equal(stderr, "");
    const { event, next } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as {
      event: string;
      next: readonly { command: string }[];
    };
    assert.equal(event, "timeout");
    assert.equal(next.at(-1)?.command, `portcullis root rotate --admin ${rig.admin} --resume`);
  });

  it("is told the whole of the two commands, where a waiver comes too early", async () => {
    const words = ["--waive", "a*", "--reason", "it burned", "--for", "2h"];
    const { status, stderr } = await run(["rotate", ...words]);
    assert.equal(status, 2);
    const flags = "--resume --waive 'a*' --reason 'it burned' --for 2h";
    assert.match(stderr, /^hint: first: portcullis root prepare --admin \S+$/m);
    assert.ok(stderr.includes(`then: portcullis root rotate --admin ${rig.admin} ${flags}\n`));
  });

  it("reads a refusal that no wait ends", async () => {
    rig.change = () => ({ case: "refused", value: { code: "key-missing", message: "no key" } });
    const { status, stderr } = await run(["rotate"]);
    const hint = `hint: where it stands: portcullis root status --admin ${rig.admin}\n`;
    assert.deepEqual([status, stderr], [4, `refused: no key (key-missing)\n${hint}`]);
  });
});
