/** A flip that goes on in the server, as whoever looks at it sees it: at a terminal, in a log, and as a program. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { after, before, beforeEach, describe, it } from "node:test";
import { runWith } from "../server/root-rig.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  back,
  caller,
  flip,
  hoursLater,
  openFlipRig,
  workloads,
  type FlipAnswer,
  type FlipRig,
} from "./flip-rig.ts";

const launcher = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));

const first = flip("stage", {
  workloads: workloads({ "api-0": "in-force", "api-1": "held-back", "api-2": "held-back" }),
  waits: [{ kind: "evidence", name: "payments/api-0", detail: "until 2026-11-29T12:00:30Z" }],
  windowEndsAt: hoursLater(1),
});
const second = flip("stage", {
  stage: 2,
  workloads: workloads({ "api-0": "in-force", "api-1": "draining 2", "api-2": "pushed" }),
  waits: [
    { kind: "connections", name: "payments/api-1", detail: "2 old ones are open" },
    { kind: "verdict", name: "", detail: "it is UNSAFE" },
  ],
  refused: [caller("legacy/cron", { refused: true, claim: "curl/8.5.0" })],
  windowEndsAt: hoursLater(1),
});
const watching = flip("watching", {
  stage: 2,
  workloads: workloads({ "api-0": "in-force", "api-1": "in-force", "api-2": "in-force" }),
  refused: second.refused ?? [],
  windowEndsAt: hoursLater(0.25),
});
const done = flip("done", {
  stagesOpened: 3,
  workloads: watching.workloads ?? [],
  refused: second.refused ?? [],
  endedAt: hoursLater(0),
});
const reverted = flip("reverted", {
  workloads: workloads({ "api-0": "held-back" }),
  cause: "meshed-failure",
  causeNames: ["web/front"],
  endedAt: hoursLater(0),
});

describe("a flip that is followed", { timeout: 60_000 }, () => {
  const directory = temporaryDirectory();
  let rig: FlipRig;
  before(async () => void (rig = await openFlipRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => void (rig.starts.length = 0));
  const goes = (...states: readonly FlipAnswer[]): void => {
    let asked = 0;
    rig.flips = () => [states[Math.min(asked++, states.length - 1)] ?? assert.fail()];
  };
  const follow = (words: readonly string[] = [], world = {}) =>
    runWith(["mtls", "flip", "payments/api", ...words, "--admin", rig.admin], world);

  it("says each stage, who is not there yet, who is refused, and its end, each once", async () => {
    goes(first, first, second, second, watching, done);
    const { status, stdout, stderr } = await follow();
    assert.deepEqual([status, stderr, rig.starts], [0, "", []]);
    assert.deepEqual(stdout.split("\n"), [
      "stage 1 of 3 (1) is open: payments/api-0",
      "stage 1 of 3 (1): 1 of 1 workloads refuse plaintext; waits for evidence of payments/api-0: until 2026-11-29T12:00:30Z; the revert window ends in 1h",
      "stage 3 of 3 (all) is open: payments/api-1, payments/api-2",
      'refused caller: legacy/cron (workload without a proxy), plaintext (refused), payments/api-0:8080, says "curl/8.5.0"',
      "stage 3 of 3 (all): 1 of 3 workloads refuse plaintext; not yet: payments/api-1 (draining, 2 old plaintext connections open), payments/api-2 (pushed); waits for the verdict: it is UNSAFE; the revert window ends in 1h",
      "all stages are open; watched for 15m",
      "watched: 3 of 3 workloads refuse plaintext; the revert window ends in 15m",
      "done: payments/api is strict: 3 workloads in 3 stages, 1h",
      "",
    ]);
  });

  it("says that the revert window has ended where what was seen in it is still on its way", async () => {
    goes({ ...watching, windowEndsAt: hoursLater(-1) }, done);
    const { status, stdout } = await follow();
    assert.equal(status, 0);
    assert.match(stdout, /; the revert window has ended\n/);
  });

  it("has live lines at a terminal, in the place of those before", async () => {
    goes(second, done);
    const { stdout } = await follow([], { isTty: true, columns: 80 });
    const live = stdout.split("\u001B[J")[1]?.split("\r")[0] ?? "";
    assert.deepEqual(live.split("\n"), [
      "stage 3 of 3 (all): 1 of 3 workloads refuse plaintext",
      "  the revert window ends in 1h",
      "  payments/api-1  draining, 2 old plaintext connections open",
      "  payments/api-2  pushed",
      "  waits for the verdict: it is UNSAFE",
      "  refused so far: legacy/cron",
    ]);
    assert.ok(stdout.includes("\u001B[5A\u001B[Jdone: "));
  });

  it("is an object a line for programs", async () => {
    goes(first, second, done);
    const { stdout } = await follow(["-o", "json"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; flip?: { id: number; state: string } });
    assert.deepEqual(
      events.map(({ event, flip: its }) => [event, its?.state]),
      [
        ["stage", "stage"],
        ["wait", "stage"],
        ["stage", "stage"],
        ["caller-refused", undefined],
        ["wait", "stage"],
        ["done", "done"],
      ],
    );
  });

  it("exits 4 when it was taken back, with the cause, the names, and where to look", async () => {
    goes(first, reverted);
    const { status, stdout, stderr } = await follow();
    assert.equal(status, 4);
    assert.match(
      stdout,
      /^reverted: callers of the mesh, by their addresses, failed: web\/front$/m,
    );
    assert.equal(
      stderr,
      `next: who calls it: portcullis mtls check --admin ${rig.admin} payments/api\n`,
    );
  });

  it("exits 4 when somebody else has changed the object", async () => {
    const cause = "PeerAuthentication payments/api says PERMISSIVE";
    goes(first, flip("superseded", { cause, endedAt: hoursLater(0) }));
    const { status, stdout, stderr } = await follow();
    assert.equal(status, 4);
    assert.match(stdout, /^superseded: PeerAuthentication payments\/api says PERMISSIVE$/m);
    assert.match(
      stderr,
      /^next: what is in force: portcullis mtls status --admin \S+ -n payments\n$/,
    );
  });

  it("exits 3 by Ctrl-C, and says that it goes on, how to look again and how to go back", async () => {
    goes(first);
    const end = new AbortController();
    setTimeout(() => end.abort(), 50);
    const { status, stderr } = await follow([], { signal: end.signal });
    assert.equal(status, 3);
    const at = `--admin ${rig.admin} payments/api`;
    assert.equal(
      stderr,
      `interrupted: the flip goes on by itself\nnext: look at it again: portcullis mtls flip ${at}\nnext: take it back: portcullis mtls revert ${at}\n`,
    );
  });

  it("exits 3 by Ctrl-C as a process, too", async () => {
    goes(first);
    const words = ["mtls", "flip", "payments/api", "--admin", rig.admin];
    const child = spawn(launcher, words, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.once("data", () => child.kill("SIGINT"));
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    const [code] = await once(child, "close");
    assert.equal(code, 3);
    assert.match(stderr, /^interrupted: the flip goes on by itself\nnext: /);
  });

  it("is the one under way where there are several, else the last", async () => {
    rig.flips = () => [
      { ...done, id: 9n },
      { ...first, id: 8n },
    ];
    const end = new AbortController();
    setTimeout(() => end.abort(), 50);
    assert.match((await follow([], { signal: end.signal })).stdout, /^stage 1 of 3/);
    rig.flips = () => [
      { ...reverted, id: 3n },
      { ...done, id: 9n },
    ];
    assert.equal((await follow()).status, 0);
  });

  it("is shown once with --no-follow, and exits 3 while it goes on", async () => {
    goes(first, done);
    const { status, stdout, stderr } = await follow(["--no-follow"]);
    assert.equal(status, 3);
    assert.match(stdout, /^stage 1 of 3 \(1\): 1 of 1 workloads refuse plaintext; .*\n$/);
    assert.match(stderr, /^next: look at it again: .*\nnext: take it back: .*\n$/);
    goes(done);
    assert.equal((await follow(["--no-follow"])).status, 0);
  });

  it("says who is in the way of its next stage where to look, and how it goes on without them", async () => {
    const detail = "its evidence is missing";
    const wait = { kind: "verdict", name: "proxy/payments/api-1", detail };
    goes({ ...first, waits: [wait] });
    const { stderr } = await follow(["--no-follow"]);
    assert.match(
      stderr,
      /^next: look at it again: .*\nnext: who is in the way: portcullis mtls check \S+ \S+ payments\/api\nnext: or let the flip go on without proxy\/payments\/api-1, if it may fail: portcullis mtls waivers add .* --target payments\/api .*\nnext: take it back: .*\n$/,
    );
  });

  it("says of whom its end is not known that it is an earlier pod of that name, and until when", async () => {
    const [api] = workloads({ "api-6": "silent" });
    goes({
      ...done,
      workloads: [{ ...api, absence: "earlier-pod", absenceUntil: hoursLater(23) }],
    });
    assert.match(
      (await follow()).stdout,
      /not known of payments\/api-6 \(an earlier pod of this name is gone, and may run on until its certificates end, 2026-11-30T11:00:00Z\)/,
    );
  });

  it("says at its end who has not told of the whole window, and where to ask", async () => {
    goes({ ...done, unseen: ["payments/api-1"] });
    const { status, stdout, stderr } = await follow();
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^done: .*; 1 workload has not told of the whole window, or not stayed strict: payments\/api-1$/m,
    );
    assert.match(stderr, /^next: who has called them, when they tell: portcullis mtls check /);
  });

  it("is not strict where a workload takes plaintext still, whoever has passed over its silence", async () => {
    const [first, second, last] = watching.workloads ?? [];
    const open = { ...last, state: "silent", absence: "away", plaintext: "taken" };
    const left = [first ?? assert.fail(), second ?? assert.fail()];
    goes({ ...done, workloads: [...left, { ...open, waived: true }], unseen: ["payments/api-2"] });
    const { status, stdout, stderr } = await follow();
    assert.equal(status, 0);
    assert.equal(
      stdout.split("\n").at(-2),
      "done: 2 of 3 workloads of payments/api refuse plaintext in 3 stages, 1h; " +
        "still taken by payments/api-2 (its agent is away; its silence is waived)",
    );
    assert.doesNotMatch(stderr, /refused/);
    assert.match(stderr, /^next: who refuses plaintext, and who not: portcullis mtls status /);
    goes({ ...done, workloads: [...left, open] });
    assert.equal((await follow()).status, 3);
    goes({ ...done, workloads: [...left, { ...open, absence: "unheard", plaintext: "" }] });
    const unheard = await follow();
    assert.equal(unheard.status, 0);
    assert.match(
      unheard.stdout,
      /^done: 2 of 3 .*; not known of payments\/api-2 \(not heard since the server's start\)$/m,
    );
  });

  it("says of whom nobody tells that it is not known, and of an object that is gone that plaintext is taken", async () => {
    const states = { "api-0": "silent", "api-1": "permissive", "api-2": "in-force" };
    const [silent, ...others] = workloads(states);
    goes({ ...watching, workloads: [{ ...silent, absence: "unheard" }, ...others] }, done);
    assert.match(
      (await follow()).stdout,
      /^watched: 1 of 3 workloads refuse plaintext, 1 not known; not yet: payments\/api-0 \(silent: not heard since the server's start\), payments\/api-1 \(takes plaintext: the object does not say STRICT\);/m,
    );
  });

  it("names those together who wait for the same thing, and cuts what it says of them first", async () => {
    const names = ["1", "2", "3", "4", "5"].map((each) => `payments/api-${each}`);
    const detail = "has not told yet whom it has seen since the order";
    const waits = names.map((name) => ({ kind: "evidence", name, detail }));
    goes({ ...first, workloads: [], waits }, done);
    assert.match(
      (await follow()).stdout,
      /; waits for evidence of payments\/api-1, payments\/api-2 and 3 more: has not told yet whom it has seen since the order; the/,
    );
    goes({ ...first, workloads: [], waits }, done);
    const { stdout } = await follow([], { isTty: true, columns: 80 });
    const live = stdout.split("\u001B[J")[1]?.split("\r")[0] ?? "";
    assert.equal(
      live.split("\n").at(-1),
      "  waits for evidence of payments/api-1, payments/api-2 and 3 more: has not tol…",
    );
    goes({ ...first, workloads: [], waits: waits.slice(0, 1) }, done);
    const one = (await follow([], { isTty: true, columns: 60 })).stdout;
    assert.ok(one.includes("\n  waits for evidence of payments/api-1: has not told yet w…"));
  });

  it("exits 2 where there is none, with the command that says whether one can be begun", async () => {
    rig.flips = () => [];
    const { status, stderr } = await follow();
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^error: --to is required: .*\nhint: whether one can be begun: portcullis mtls check .* payments\/api\n$/,
    );
  });

  it("exits 3 where the server does not know it any more", async () => {
    let asked = 0;
    rig.flips = () => (asked++ === 0 ? [first] : []);
    const { status, stdout } = await follow();
    assert.equal(status, 3);
    assert.match(stdout, /^the server does not know flip 7 of payments\/api any more$/m);
  });

  it("is followed through a restart of the server", async () => {
    const other = await openFlipRig(directory.path, "restarted.sock");
    other.flips = () => [first];
    let said = "";
    const stdout = { write: (text: string) => void (said += text) };
    const words = ["mtls", "flip", "payments/api", "--admin", other.admin];
    const following = runWith(words, { stdout });
    await eventually(() => said.includes("stage 1"));
    await other[Symbol.asyncDispose]();
    await eventually(() => said.includes("does not answer"));
    await using again = await openFlipRig(directory.path, "restarted.sock");
    again.flips = () => [done];
    assert.equal((await following).status, 0);
    assert.match(said, /^the server does not answer; the flip goes on when it is back$/m);
    assert.match(said, /^done: /m);
  });

  describe("back", () => {
    const revert = (words: readonly string[] = [], world = {}) =>
      runWith(["mtls", "revert", "payments/api", ...words, "--admin", rig.admin], world);
    const half = flip("reverting", {
      workloads: workloads({ "api-0": "pushed", "api-1": "held-back" }),
      cause: "operator",
    });
    const all = { ...half, workloads: workloads({ "api-0": "held-back", "api-1": "held-back" }) };
    const waits = [{ kind: "object", name: "payments/api", detail: "it is yours to change" }];
    beforeEach(() => {
      rig.reverts.length = 0;
      rig.revert = () => ({ result: { case: "flip", value: half }, ...back });
    });

    it("asks nobody, shows the change, and ends when all of it takes plaintext again", async () => {
      goes(all, { ...reverted, cause: "operator", causeNames: [] });
      const { status, stdout, stderr } = await revert(["--reason", "billing fails"]);
      assert.equal(status, 0);
      assert.match(stderr, /^PeerAuthentication[^]*\n\+ {4}mode: PERMISSIVE\n/);
      assert.deepEqual(stdout.split("\n"), [
        "flip 7 of payments/api is being taken back",
        "taken back: an operator asked for it",
        "on the way back: 1 of 2 workloads take plaintext again; not yet: payments/api-0 (pushed)",
        "on the way back: 2 of 2 workloads take plaintext again",
        "reverted: an operator asked for it",
        "",
      ]);
      const [{ reason, operator, dryRun } = assert.fail()] = rig.reverts;
      assert.deepEqual([reason, operator, dryRun], ["billing fails", "ada", false]);
    });

    it("exits 3 where a workload may refuse plaintext still, and says why, when all others have gone back", async () => {
      const [first = assert.fail(), second = assert.fail()] = half.workloads ?? [];
      const away = { ...first, state: "silent", absence: "away", plaintext: "refused" };
      const over = { ...reverted, cause: "operator", causeNames: [], notBack: [first.name ?? ""] };
      goes(
        { ...over, workloads: [away, { ...second, state: "pushed" }] },
        { ...over, workloads: [away, second] },
      );
      const { status, stdout, stderr } = await revert();
      assert.equal(status, 3);
      assert.deepEqual(stdout.split("\n").slice(3), [
        "on the way back: 0 of 2 workloads take plaintext again; not yet: payments/api-0 (silent: its agent is away), payments/api-1 (pushed)",
        "reverted: an operator asked for it; 1 of 2 workloads take plaintext; not yet: payments/api-0 (silent: its agent is away)",
        "",
      ]);
      assert.match(
        stderr,
        /^next: payments\/api-0: its agent is away: it still refuses plaintext until it is back; nothing else is to be done here: portcullis mtls status --admin \S+ -n payments\n$/m,
      );
      // Who only looks at it is told, too.
      goes({ ...over, workloads: [away, second] });
      const looked = await follow();
      assert.equal(looked.status, 4);
      assert.match(looked.stdout, /not yet: payments\/api-0/);
    });

    it("waits a minute for whoever was not heard since the server's start", async () => {
      const [silent = assert.fail()] = half.workloads ?? [];
      const unheard = [{ ...silent, state: "silent", absence: "unheard" }];
      const over = { ...reverted, cause: "operator", notBack: [silent.name ?? ""] };
      goes({ ...over, workloads: unheard }, { ...reverted, cause: "operator", causeNames: [] });
      assert.equal((await revert()).status, 0);
      // Whoever follows a flip that was taken back by itself, too.
      goes({ ...over, workloads: unheard }, { ...reverted, cause: "operator", causeNames: [] });
      const followed = await follow();
      assert.equal(followed.status, 4);
      assert.match(followed.stdout, /^reverted: an operator asked for it$/m);
      const minute = { ...over, workloads: unheard, now: hoursLater(1 / 60) };
      goes({ ...over, workloads: unheard }, minute);
      const { status, stdout } = await revert();
      assert.equal(status, 3);
      assert.match(stdout, /^reverted: .*; not yet: payments\/api-0 \(silent: not heard since/m);
    });

    it("says to delete the file where the flip's object was a new one", async () => {
      const awaiting = { ...half, awaitsObject: true, createsObject: true, waits };
      const gone = { beforeJson: back.beforeJson, afterJson: "" };
      rig.revert = () => ({ result: { case: "flip", value: awaiting }, ...gone });
      goes({ ...all, awaitsObject: true, createsObject: true, waits });
      const { status, stdout, stderr } = await revert(["-o", "yaml"]);
      assert.deepEqual([status, stdout], [0, ""]);
      assert.match(
        stderr,
        /is to be deleted: delete the file that has it, and commit that; nothing is written here$/m,
      );
      assert.match(
        stderr,
        /held back until PeerAuthentication payments\/api is gone again\nnext: delete the file that has PeerAuthentication payments\/api, and commit that\nnext: /,
      );
    });

    it("is over for whoever has the policy in git when it is held back, and says what stays", async () => {
      const awaiting = { ...half, awaitsObject: true, waits };
      rig.revert = () => ({ result: { case: "flip", value: awaiting }, ...back });
      goes({ ...all, awaitsObject: true, waits });
      const { status, stdout, stderr } = await revert(["-o", "yaml"]);
      assert.equal(status, 0);
      assert.match(stdout, /^apiVersion: [^]*mode: PERMISSIVE\n/);
      assert.doesNotMatch(stdout, /taken back/);
      assert.match(stderr, /^PeerAuthentication .* is to be configured: nothing is written here$/m);
      assert.match(
        stderr,
        /held back until PeerAuthentication payments\/api says so itself\nnext: commit what this prints: portcullis mtls revert .* --dry-run -o yaml\nnext: /,
      );
    });

    it("does not say that the object is changed while the server still has to write it", async () => {
      rig.revert = () => ({ result: { case: "flip", value: { ...half, waits } }, ...back });
      goes({ ...reverted, cause: "operator" });
      const { stderr } = await revert();
      assert.match(
        stderr,
        /^PeerAuthentication .* is to be configured: the server has not written it yet$/m,
      );
    });

    it("changes nothing in a dry run", async () => {
      const { status, stdout } = await revert(["--dry-run"]);
      assert.equal(status, 0);
      assert.match(
        stdout,
        /\nflip 7 .* would be taken back\nnothing was changed: this was a dry run\n$/,
      );
      assert.equal(rig.reverts[0]?.dryRun, true);
    });

    it("is refused where nothing is to be taken back", async () => {
      const message = "there is no flip of payments/api";
      const value = { code: "flip-unknown", message, hint: "portcullis mtls plan -n payments" };
      rig.revert = () => ({ result: { case: "refused", value } });
      const { status, stderr } = await revert();
      assert.equal(status, 4);
      assert.equal(
        stderr,
        `refused: ${message} (flip-unknown)\nhint: portcullis mtls plan --admin ${rig.admin} -n payments\n`,
      );
    });

    it("exits 3 by Ctrl-C, and does not offer to go back", async () => {
      goes(half);
      const end = new AbortController();
      setTimeout(() => end.abort(), 50);
      const { status, stderr } = await revert([], { signal: end.signal });
      assert.equal(status, 3);
      assert.match(
        stderr,
        /^interrupted: the way back goes on by itself\nnext: look at it again: .*\n$/m,
      );
      assert.doesNotMatch(stderr, /mtls revert/);
    });

    it("takes a reason of one line, and says so before it asks", async () => {
      const { status } = await revert(["--reason", "a\nb"]);
      assert.deepEqual([status, rig.reverts], [2, []]);
    });
  });
});
