/** `root compromise`: what it says before it breaks anything, and that only the id typed again lets it. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { RotationFake } from "./root-moves.ts";
import { openRootRig, runWith, type RootRig } from "./root-rig.ts";

describe("an operator with a leaked key", () => {
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

  it("reads what breaks, types the id again, and waits until nobody trusts it", async () => {
    const questions: string[] = [];
    const ask = (question: string) => {
      questions.push(question);
      return Promise.resolve("a");
    };
    const end = setInterval(() => {
      if (rotation.shape["a"] === "retired") rotation.shape = { b: "active" };
    }, 300);
    const { status, stdout, stderr } = await run(["compromise", "a"], { ask });
    clearInterval(end);
    assert.equal(status, 0);
    assert.deepEqual(sent(), ["compromise?", "compromise"]);
    assert.match(stderr, /^authority a \(active\) is to be distrusted, whatever that breaks:$/m);
    assert.match(
      stderr,
      /^40 certificates of at least 1 workload hang on its root, the last ends in 3h: [^]*^proxy\/web-7@/m,
    );
    assert.match(stderr, /^connections that are open survive; [^]*^re-issue takes at most 4s /m);
    assert.match(stderr, /^compromise it is\nthere is no way back$/m);
    assert.deepEqual(questions, ["Type the authority's id again to break this: "]);
    assert.match(stdout, /^step 6 of 6, [^]*^nobody trusts authority a any more\n$/m);
  });

  it("may say the id twice instead, and leave", async () => {
    const { status } = await run(["compromise", "a", "--yes-break", "a", "--no-wait"]);
    assert.equal(status, 0);
    const { command } = rig.changes[1] ?? assert.fail();
    assert.ok(command.case === "compromise");
    assert.deepEqual(command.value.replacement?.fromDir, "");
  });

  const noes: Readonly<Record<string, object>> = {
    "there is no terminal": {},
    "yes is not the id": { ask: () => Promise.resolve("yes") },
    "no answer comes": { ask: () => Promise.resolve(undefined) },
  };
  for (const [title, world] of Object.entries(noes)) {
    it(`changes nothing and exits 4 when ${title}`, async () => {
      const { status, stderr } = await run(["compromise", "a"], world);
      assert.equal(status, 4);
      assert.match(stderr, /^refused: .*nothing was changed \(confirmation-missing\)$/m);
      assert.deepEqual(sent(), ["compromise?"]);
    });
  }

  it("has the refusal as a value with -o json, and the whole command that does it", async () => {
    const { status, stdout, stderr } = await run([
      "compromise",
      "a",
      "--key-type",
      "p384",
      "-o",
      "json",
    ]);
    assert.equal(status, 4);
    const { refused } = JSON.parse(stdout) as {
      refused: { code: string; next: readonly { command: string }[] };
    };
    assert.equal(refused.code, "confirmation-missing");
    const command = `portcullis root compromise --admin ${rig.admin} a --key-type p384 --yes-break a`;
    assert.deepEqual(
      refused.next.map((each) => each.command),
      [command],
    );
    assert.match(stderr, /: portcullis join-token create --admin \S+ --spiffe-id ID$/m);
  });

  it("changes nothing by Ctrl-C at the question, and leaves the exit code to the signal", async () => {
    const interruption = new AbortController();
    const ask = () => {
      interruption.abort();
      return Promise.resolve(undefined);
    };
    const outcome = await run(["compromise", "a"], { ask, signal: interruption.signal });
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /\ninterrupted: nothing was changed\n$/);
    assert.deepEqual(sent(), ["compromise?"]);
  });

  it("changes nothing by a dry run, or where the two ids differ, or for an unknown one", async () => {
    const dry = await run(["compromise", "a", "--dry-run"]);
    assert.equal(dry.status, 0);
    assert.match(dry.stdout, /^compromise it is\nnothing was changed: this was a dry run\n$/);
    for (const words of [["a", "--yes-break", "b"], ["c"]]) {
      const { status, stderr } = await run(["compromise", ...words]);
      assert.equal(status, 2);
      assert.match(stderr, /hint: portcullis root status --admin \S+\n$/);
    }
    assert.deepEqual(sent(), ["compromise?"]);
  });

  it("leaves it to the server whether a root of its own may follow, and reads no promise before a refusal", async () => {
    const value = { code: "replacement-needed", message: "expected another", hint: "" };
    rig.change = () => ({ case: "refused", value });
    const { status, stderr } = await run(["compromise", "a"]);
    assert.equal(status, 4);
    assert.doesNotMatch(stderr, /signs from then on/);
    await run(["compromise", "a", "--from-dir", "/etc/ca"]);
    const replacements = rig.changes.map(({ command }) =>
      command.case === "compromise" ? command.value.replacement?.fromDir : undefined,
    );
    assert.deepEqual(replacements, ["", "/etc/ca"]);
  });
});
