/** `--waive`: nobody is passed over whose name was not shown, and nothing but a clear yes waives anybody. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  done,
  files,
  hoursLater,
  openRootRig,
  proxy,
  runWith,
  type LaggardAnswer,
  type RootRig,
} from "./root-rig.ts";

interface RefusedJson {
  readonly refused: {
    readonly code: string;
    readonly next: readonly { readonly command: string }[];
    readonly laggards: readonly { readonly name: string }[];
  };
}

const waiver = ["--waive", "web-7", "--reason", "burned down", "--for", "2h"];

describe("--waive", () => {
  const directory = temporaryDirectory();
  let rig: RootRig;
  before(async () => void (rig = await openRootRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => {
    rig.changes.length = 0;
    rig.waived.length = 0;
    rig.expand = () => [proxy];
  });
  const run = (verb: string, words: readonly string[] = [], world = {}) =>
    runWith(["root", verb, ...words, "--admin", rig.admin], world);

  const yes = { ask: () => Promise.resolve("yes") };

  it("shows the names, asks, waives them for the time, and gives the command", async () => {
    let asked = "";
    const ask = (question: string) => {
      asked = question;
      assert.equal(rig.waived.length, 0);
      return Promise.resolve("yes");
    };
    const { status, stderr } = await run("activate", waiver, { ask });
    assert.equal(status, 0);
    assert.match(stderr, /^WHO [^]*proxy\/web-7@[^]*^waived 1 of them for 2h$/m);
    assert.match(asked, /^Waive 1 of them for 2h\?/);
    const [{ names, reason, operator, until, rootsSequence } = assert.fail()] = rig.waived;
    assert.deepEqual([names, reason, operator], [[proxy.name], "burned down", "ada"]);
    assert.equal(rootsSequence, 9n);
    assert.equal(until?.seconds, hoursLater(2).seconds);
    assert.equal(rig.changes.length, 1);
  });

  it("waives without a question when it is told so, each name once", async () => {
    rig.expand = (selector) => (selector === "class/files" ? [files] : [proxy, files]);
    const { status } = await run("retire", [...waiver, "--waive", "class/files", "--yes"]);
    assert.equal(status, 0);
    assert.deepEqual(rig.waived[0]?.names, [proxy.name, files.name]);
  });

  it("asks the gate of the command that is given", async () => {
    const asked: string[] = [];
    rig.expand = (_, command) => {
      asked.push(command);
      return [proxy];
    };
    for (const verb of ["activate", "retire", "abort"]) await run(verb, [...waiver, "--yes"]);
    assert.deepEqual(asked, ["activate", "retire", "abort"]);
  });

  const noes: Readonly<Record<string, object>> = {
    "there is no terminal": {},
    "the answer is no": { ask: () => Promise.resolve("no") },
    "the answer is short": { ask: () => Promise.resolve("y") },
    "the answer is empty": { ask: () => Promise.resolve("") },
    "no answer comes": { ask: () => Promise.resolve(undefined) },
  };
  for (const [title, world] of Object.entries(noes)) {
    it(`changes nothing and exits 4 when ${title}`, async () => {
      const { status, stderr } = await run("activate", waiver, world);
      assert.equal(status, 4);
      assert.match(stderr, /^refused: .*nobody is waived/m);
      assert.deepEqual([rig.waived, rig.changes], [[], []]);
    });
  }

  it("changes nothing where a selector stands for nobody", async () => {
    rig.expand = (selector) => (selector === "web-7" ? [proxy] : []);
    const { status, stderr } = await run("activate", [...waiver, "--waive", "typo", "--yes"]);
    assert.equal(status, 4);
    assert.match(
      stderr,
      /^refused: typo stands for nobody.*\nhint: who they are: portcullis root status --admin \S+ --all\n/,
    );
    assert.deepEqual([rig.waived, rig.changes], [[], []]);
  });

  for (const selector of ["class/*", "class/fil*", "fil*"]) {
    it(`says that a class is waived by its full name, and by which, for ${selector}`, async () => {
      rig.expand = () => [];
      rig.status = () => ({ verifiers: { lagging: 1n, laggards: [files] } });
      const waived = ["--waive", selector, ...waiver.slice(2), "--yes"];
      const { status, stderr } = await run("activate", waived);
      assert.equal(status, 4);
      assert.match(stderr, /names no class: .* by its full name.*\nhint: --waive class\/files\n$/);
      assert.deepEqual([rig.waived, rig.changes], [[], []]);
    });
  }

  it("waives nobody by Ctrl-C at the question, and leaves the exit code to the signal", async () => {
    const interruption = new AbortController();
    const ask = () => {
      interruption.abort();
      return Promise.resolve(undefined);
    };
    const { status, stderr } = await run("activate", waiver, { ask, signal: interruption.signal });
    assert.equal(status, 1);
    assert.match(stderr, /\ninterrupted: nobody is waived, and nothing was changed\n$/);
    assert.deepEqual([rig.waived, rig.changes], [[], []]);
  });

  it("waives nobody in a dry run, which says whether that would be enough", async () => {
    const gate = { code: "verifiers-lagging", message: "expected all, got less", hint: "wait" };
    const dry = async (...laggards: readonly LaggardAnswer[]) => {
      const value = { ...gate, lagging: BigInt(laggards.length), laggards: [...laggards] };
      rig.change = () => ({ case: "refused", value });
      return await run("activate", [...waiver, "--dry-run"], yes);
    };
    const enough = await dry(proxy);
    assert.match(enough.stderr, /^would waive 1 of them for 2h$/m);
    assert.equal(enough.status, 0);
    assert.match(enough.stdout, /^with these waivers nobody stands in the way of it\nnothing was /);
    const other = await dry(proxy, files);
    assert.equal(other.status, 4);
    assert.match(other.stderr, /^refused: .*, got 1 more \(verifiers-lagging\)\nWHO .*\nclass\/f/m);
    assert.doesNotMatch(other.stderr.replace(/[^]*^refused/m, ""), /web-7/);
    rig.change = () => done();
    assert.deepEqual([rig.waived.length, rig.changes.length], [0, 2]);
  });

  it("is refused to a program with whom it would waive, and with the command that does it", async () => {
    const { status, stdout } = await run("activate", [...waiver, "-o", "json"]);
    assert.equal(status, 4);
    const { refused } = JSON.parse(stdout) as RefusedJson;
    const { code, next, laggards } = refused;
    assert.deepEqual(
      [code, laggards.map(({ name }) => name)],
      ["confirmation-missing", [proxy.name]],
    );
    const flags = `--waive web-7 --reason 'burned down' --for 2h --yes`;
    assert.deepEqual(
      next.map(({ command }) => command),
      [`portcullis root activate --admin ${rig.admin} ${flags}`],
    );
  });

  it("is refused to a program where a selector stands for nobody", async () => {
    rig.expand = () => [];
    const { stdout } = await run("retire", [...waiver, "-o", "json"]);
    const { refused } = JSON.parse(stdout) as RefusedJson;
    assert.equal(refused.code, "waiver-nobody");
  });

  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [["--waive", "a", "--for", "2h"], /--waive: expected --reason TEXT with it\nhint: .*help root/],
    [["--waive", "a", "--reason", "b"], /--waive: expected --for DURATION with it/],
    [["--waive", "a", "--reason", "b", "--for", "0s"], /--for: expected a time/],
    [["--waive", "a", "--reason", "b", "--for", "31d"], /--for: .* at most 30d, got 31d/],
    [["--waive", "a", "--reason", "b", "--for", "31d", "--dry-run"], /--for: .* at most 30d/],
    [["--waive", "a", "--reason", "b\nc", "--for", "2h"], /--reason: expected one line/],
    [
      ["--waive", "a", "--reason", "b".repeat(3_000), "--for", "2h"],
      /200 characters, got 3000: "b/,
    ],
    [
      ["--waive", "a", "--reason", "", "--for", "2h", "--yes"],
      /--reason: expected one line.*\nhint: .*help/,
    ],
    [["--reason", "b"], /--reason: expected --waive SELECTOR with it/],
    [["--for", "2h"], /--for: expected --waive SELECTOR with it/],
  ];
  for (const [words, said] of mistakes) {
    it(`takes ${words.join(" ").slice(0, 80)} for a mistake, before it asks for names`, async () => {
      rig.expand = () => assert.fail("it has asked");
      const { status, stderr } = await run("activate", words);
      assert.match(stderr, said);
      assert.equal(status, 2);
      assert.deepEqual([rig.waived, rig.changes], [[], []]);
    });
  }
});
