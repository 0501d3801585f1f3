/** The root verbs: what an operator reads, what is sent, and exit codes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  done,
  files,
  hoursLater,
  openRootRig,
  proxy,
  runWith,
  type ChangeAnswer,
  type RootRig,
} from "./root-rig.ts";

const refusal: ChangeAnswer = {
  case: "refused",
  value: {
    code: "verifiers-lagging",
    message: "expected every verifier to hold the present bundle, got 3 that do not: class/files",
    hint: "who they are: portcullis root status --all",
    lagging: 3n,
    laggards: [proxy, files],
    opensAt: hoursLater(3),
  },
};
describe("a command of a rotation", () => {
  const directory = temporaryDirectory();
  let rig: RootRig;
  before(async () => void (rig = await openRootRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => {
    rig.changes.length = 0;
    rig.change = () => done("b was prepared and is active");
  });
  const run = (verb: string, words: readonly string[] = [], world = {}) =>
    runWith(["root", verb, ...words, "--admin", rig.admin], world);

  for (const verb of ["activate", "rollback", "retire", "abort", "prepare"]) {
    it(`says what ${verb} has done, and the next command`, async () => {
      assert.deepEqual(await run(verb), {
        status: 0,
        stdout: `b was prepared and is active\nnext: portcullis root status --admin ${rig.admin}\n`,
        stderr: "",
      });
      const [{ command, operator, dryRun } = assert.fail()] = rig.changes;
      assert.deepEqual([command.case, operator, dryRun], [verb, "ada", false]);
    });

    it(`changes nothing by ${verb} --dry-run, and says so`, async () => {
      const { status, stdout } = await run(verb, ["--dry-run"]);
      assert.equal(status, 0);
      assert.match(stdout, /is active\nnothing was changed: this was a dry run\n$/);
      assert.deepEqual(
        rig.changes.map(({ dryRun }) => dryRun),
        [true],
      );
    });

    it(`exits 4 when ${verb} is refused, with the cause, whom it waits for, and what to do`, async () => {
      rig.change = () => refusal;
      const { status, stdout, stderr } = await run(verb);
      assert.deepEqual([status, stdout], [4, ""]);
      const lines = stderr.split("\n");
      assert.match(
        lines[0] ?? "",
        /^refused: expected every verifier .* got 3 that do not \(verifiers-lagging\)$/,
      );
      assert.match(lines[1] ?? "", /^WHO +REASON +ENDS$/);
      assert.match(lines[2] ?? "", /^class\/files +unobservable +-$/);
      assert.match(lines[3] ?? "", /^proxy\/web-7@\S+ +not-connected +in 3h$/);
      assert.deepEqual(lines.slice(4), [
        "  unobservable: configured",
        "  not-connected: away for 2h",
        `and 1 more: portcullis root status --admin ${rig.admin} --all`,
        "at the latest in 3h",
        `hint: who they are: portcullis root status --admin ${rig.admin} --all`,
        "",
      ]);
    });
  }

  it("shows a line a workload, the last to end first, where a refusal names the first certificates only", async () => {
    const certificate = (serial: number, identity: string) => ({
      kind: "certificate",
      name: `certificate/${serial}`,
      spiffeId: `spiffe://cluster.local/${identity}`,
      reason: "unexpired",
      endsAt: hoursLater(serial),
    });
    const named = [...Array(30).keys()].map((index) => certificate(1 + index / 10, "pay"));
    const all = [...named, certificate(9, "cart")];
    rig.status = () => ({
      authorities: [
        { id: "b", state: "active" },
        { id: "a", state: "retiring" },
      ],
      holders: [{ authorityId: "a", unexpired: 31n, named: all }],
    });
    const value = { code: "holders-left", message: "expected none", lagging: 31n };
    rig.change = () => ({ case: "refused", value: { ...value, laggards: named.slice(0, 10) } });
    const { stderr } = await run("retire");
    assert.deepEqual(stderr.replaceAll(/ {3,}/g, " | ").split("\n"), [
      "refused: expected none (holders-left)",
      "WHO | IDENTITY | REASON | ENDS",
      "certificate/9 | spiffe://cluster.local/cart | unexpired | in 9h",
      "30 certificates | spiffe://cluster.local/pay | unexpired | in 3h54m",
      `hint: when that is mended: portcullis root retire --admin ${rig.admin}`,
      "",
    ]);
  });

  it("tells times by the server's clock, as root status does", async () => {
    rig.status = () => ({ now: hoursLater(1) });
    rig.change = () => refusal;
    const { stderr } = await run("activate");
    rig.status = () => ({});
    assert.match(stderr, /^proxy\/web-7@\S+ +not-connected +in 2h$[^]*^at the latest in 2h$/m);
  });

  it("gives the command again to whoever mends what it names, where the server says nothing of it", async () => {
    rig.change = () => ({ case: "refused", value: { code: "ca-dir-missing", message: "no CA" } });
    const { status, stderr } = await run("prepare", ["--from-dir", "/no where"]);
    assert.equal(status, 4);
    const again = `portcullis root prepare --admin ${rig.admin} --from-dir '/no where'`;
    assert.equal(stderr, `refused: no CA (ca-dir-missing)\nhint: when that is mended: ${again}\n`);
  });

  it("is sent to a socket that is named by its path alone", async () => {
    const admin = rig.admin.replace("unix://", "");
    assert.equal((await runWith(["root", "activate", "--admin", admin])).status, 0);
  });

  it("gives the next commands to programs one by one", async () => {
    const next = "portcullis root retire; or go back: portcullis root rollback";
    rig.change = () => ({ case: "done", value: { lines: ["it is"], next, epoch: 5n } });
    const { stdout } = await run("activate", ["-o", "json"]);
    const { done: value } = JSON.parse(stdout) as { done: { next: unknown } };
    assert.deepEqual(value.next, [
      { command: `portcullis root retire --admin ${rig.admin}`, why: "" },
      { command: `portcullis root rollback --admin ${rig.admin}`, why: "or go back" },
    ]);
  });

  it("has times as spans, whoever says them", async () => {
    rig.change = () => done("b was withdrawn at 2026-11-29T11:30:00.000Z");
    assert.match((await run("abort")).stdout, /^b was withdrawn 30m ago$/m);
  });

  it("gives a refusal to programs as a value", async () => {
    rig.change = () => refusal;
    const { status, stdout, stderr } = await run("activate", ["-o", "json"]);
    assert.deepEqual([status, stderr], [4, ""]);
    const { refused } = JSON.parse(stdout) as { refused: { code: string; laggards: unknown[] } };
    assert.deepEqual([refused.code, refused.laggards.length], ["verifiers-lagging", 2]);
  });

  it("takes the server's words as text, and sends no control characters to the terminal", async () => {
    rig.change = () => done("\u001B[2Jgone");
    assert.match((await run("activate")).stdout, /^\\u\{1b\}\[2Jgone\n/);
  });

  it("names a directory of the server's machine from its root on", async () => {
    await run("prepare", ["--from-dir", "ca"]);
    const { command } = rig.changes[0] ?? assert.fail();
    assert.ok(command.case === "prepare");
    assert.equal(command.value.fromDir, join(process.cwd(), "ca"));
  });

  it("prints the request for an offline root alone, and what comes next beside it", async () => {
    const csr = "-----BEGIN CERTIFICATE REQUEST-----\n";
    rig.change = () => ({ case: "done", value: { lines: ["a key is made"], csr } });
    const { status, stdout, stderr } = await run("prepare", ["--csr-for-offline-root"]);
    assert.deepEqual([status, stdout], [0, csr]);
    assert.match(
      stderr,
      /^next: have your root sign .*[^]*^next: .*root prepare --admin \S+ --from-dir ca$/m,
    );
  });
});
