/** `mtls permissive` and `mtls plan`: what is sent, what is shown, and what a program reads. */

import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { after, before, beforeEach, describe, it } from "node:test";
import { openRootRig, runWith } from "../server/root-rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { back, openFlipRig, safe, unsafe, type FlipRig } from "./flip-rig.ts";

const directory = temporaryDirectory();
let rig: FlipRig;
before(async () => void (rig = await openFlipRig(directory.path)));
after(async () => {
  await rig[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

describe("mtls permissive", () => {
  beforeEach(() => void (rig.permissives.length = 0));
  const run = (words: readonly string[]) =>
    runWith(["mtls", "permissive", "payments/api", ...words, "--admin", rig.admin]);
  const team = ["--owner", "team-x"];

  it("asks nobody where nothing is strict, and says the change, until when it is and who answers for it", async () => {
    const { status, stdout, stderr } = await run(["--until", "2026-12-24", ...team]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(
      stdout,
      /^PeerAuthentication payments\/api configured\n[^]*\n\+ {4}mode: PERMISSIVE\n/,
    );
    assert.ok(
      stdout.endsWith("permissive until 2026-12-24T00:00:00Z (in 24d12h); team-x answers for it\n"),
      stdout,
    );
    const { target, owner, until, operator, dryRun } = rig.permissives.at(-1) ?? assert.fail();
    assert.deepEqual([target, owner, operator, dryRun], ["payments/api", "team-x", "ada", false]);
    assert.equal(Number(until?.seconds) * 1_000, Date.UTC(2026, 11, 24));
  });

  it("takes a time, and a duration from now", async () => {
    for (const text of ["2026-12-24T09:00:00+01:00", "24d20h"]) {
      assert.equal((await run(["--until", text, ...team])).status, 0);
    }
    const ordered = rig.permissives.filter(({ dryRun }) => !dryRun);
    const seconds = ordered.map(({ until }) => Number(until?.seconds) * 1_000);
    assert.deepEqual(seconds, [Date.UTC(2026, 11, 24, 8), Date.UTC(2026, 11, 24, 8)]);
  });

  for (const words of [
    ["--until", "2026-11-29", ...team],
    ["--until", "2026-02-30", ...team],
    ["--until", "soon", ...team],
    ["--until", "0s", ...team],
    ["--until", "9d", "--owner", " "],
    ["--until", "9d", "--owner", "a\nb"],
    ["--until", "9d", "--owner", "x".repeat(61)],
    ["--until", "9d"],
    [...team],
  ]) {
    it(`refuses ${JSON.stringify(words)} before it asks a server`, async () => {
      assert.equal((await run(words)).status, 2);
      assert.deepEqual(rig.permissives, []);
    });
  }

  it("prints the object to commit, alone, and lets nothing be written, with -o yaml", async () => {
    const { status, stdout } = await run(["--until", "9d", ...team, "-o", "yaml"]);
    assert.equal(status, 0);
    assert.match(stdout, /^apiVersion: [^]*\n {4}mode: PERMISSIVE\n/);
    assert.equal(rig.permissives[0]?.dryRun, true);
  });

  it("changes nothing in a dry run", async () => {
    const { stdout } = await run(["--until", "9d", ...team, "--dry-run"]);
    assert.match(stdout, /^PeerAuthentication payments\/api would be configured\n/);
    assert.match(
      stdout,
      /\nwould be permissive until .*\nnothing was changed: this was a dry run\n$/,
    );
    assert.equal(rig.permissives[0]?.dryRun, true);
  });

  it("has the same for programs", async () => {
    const { stdout } = await run(["--until", "2026-12-24", ...team, "-o", "json"]);
    const { change, ...value } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(value, {
      dryRun: false,
      action: "configured",
      object: { kind: null, namespace: null, name: null },
      until: "2026-12-24T00:00:00Z",
      owner: "team-x",
      endsStrict: false,
      decidedByOthers: [],
    });
    assert.deepEqual(Object.keys(change ?? {}), ["action", "before", "after", "diff"]);
  });

  describe("of what is strict", () => {
    const others = [
      { target: "payments/db", mode: "strict", workloads: ["payments/db-0"], count: 1 },
    ];
    let permit: FlipRig["permit"];
    after(() => void (rig.permit = permit));
    before(() => void ({ permit } = rig));
    beforeEach(() => {
      const answer = { result: { case: "action", value: "configured" }, ...back } as const;
      rig.permit = () => ({ ...answer, endsStrict: true, decidedByOthers: others });
    });
    const asked = (answer?: string) => ({
      ...(answer !== undefined && { ask: () => Promise.resolve(answer) }),
    });

    it("shows the change and asks, and only yes is a yes", async () => {
      const words = ["mtls", "permissive", "payments/api", "--until", "9d", ...team];
      const yes = await runWith([...words, "--admin", rig.admin], asked("yes"));
      assert.equal(yes.status, 0);
      assert.match(
        yes.stderr,
        /^PeerAuthentication payments\/api would be configured\n[^]*PERMISSIVE/,
      );
      assert.match(yes.stdout, /^note: 1 workload is no part of it: payments\/db is decided by /m);
      assert.deepEqual(
        rig.permissives.map(({ dryRun }) => dryRun),
        [true, false],
      );
      rig.permissives.length = 0;
      const no = await runWith([...words, "--admin", rig.admin], asked("y"));
      assert.equal(no.status, 4);
      assert.deepEqual(
        rig.permissives.map(({ dryRun }) => dryRun),
        [true],
      );
    });

    it("says without a terminal how to say yes, and with --yes asks nobody", async () => {
      const { status, stderr } = await run(["--until", "9d", ...team]);
      assert.equal(status, 4);
      assert.match(
        stderr,
        /\(confirmation-missing\)\nhint: .*: portcullis mtls permissive --admin \S+ payments\/api --until 9d --owner team-x --yes\n$/,
      );
      assert.deepEqual(
        rig.permissives.map(({ dryRun }) => dryRun),
        [true],
      );
      assert.equal((await run(["--until", "9d", ...team, "--yes"])).status, 0);
      assert.equal(rig.permissives.at(-1)?.dryRun, false);
    });
  });

  it("is refused with the next command, for people and for programs", async () => {
    const value = {
      code: "object-in-directory",
      message: "PeerAuthentication payments/api is in the server's directory",
      hint: "print what is to be committed: portcullis mtls permissive payments/api --until 30d --owner NAME -o yaml",
    };
    const { permit } = rig;
    rig.permit = () => ({ result: { case: "refused", value } });
    const people = await run(["--until", "9d", ...team]);
    const program = await run(["--until", "9d", ...team, "-o", "json"]);
    rig.permit = permit;
    assert.deepEqual([people.status, people.stdout, program.status], [4, "", 4]);
    assert.match(
      people.stderr,
      /^refused: .*\(object-in-directory\)\nhint: print .*: portcullis mtls permissive --admin \S+ payments\/api --until 9d --owner team-x -o yaml\n$/,
    );
    const { refused } = JSON.parse(program.stdout) as { refused: { code: string } };
    assert.equal(refused.code, "object-in-directory");
  });
});

describe("mtls plan", () => {
  const run = (words: readonly string[] = []) =>
    runWith(["mtls", "plan", "-n", "payments", ...words, "--admin", rig.admin]);
  const next = "portcullis mtls flip payments/api --to strict";
  beforeEach(() => {
    rig.plans.length = 0;
    rig.plan = () => ({
      targets: [
        {
          target: "payments/db",
          mode: "permissive",
          verdict: { ...unsafe, target: "payments/db" },
          waitsFor: ["legacy/cron: has no proxy", "payments/api: goes first"],
          next: "portcullis mtls check payments/db",
        },
        { target: "payments/web", mode: "strict", verdict: safe, order: 2 },
        { target: "payments/api", mode: "permissive", verdict: safe, order: 1, next },
      ],
    });
  });

  it("has a line for each in its order, whoever nobody knows it of last, and all waits below", async () => {
    const { status, stdout } = await run(["--look-back", "1d"]);
    assert.equal(status, 3);
    const at = `--admin ${rig.admin}`;
    const past = "--look-back 1d";
    assert.deepEqual(stdout.split("\n"), [
      "ORDER   TARGET         MODE         VERDICT   WAITS FOR                              NEXT",
      `1       payments/api   permissive   SAFE      -                                      portcullis mtls flip ${at} payments/api --to strict ${past}`,
      "2       payments/web   strict       -         -                                      -",
      `-       payments/db    permissive   UNSAFE    legacy/cron: has no proxy and 1 more   portcullis mtls check ${at} payments/db ${past}`,
      "",
      "payments/db waits for legacy/cron: has no proxy, payments/api: goes first",
      "",
    ]);
    const [{ namespace, lookBack } = assert.fail()] = rig.plans;
    assert.deepEqual([namespace, lookBack], ["payments", 86_400n]);
  });

  it("has the commands below the table where a terminal has no room for them, whole", async () => {
    const { stdout } = await runWith(["mtls", "plan", "-n", "payments", "--admin", rig.admin], {
      isTty: true,
      columns: 80,
    });
    const lines = stripVTControlCharacters(stdout).split("\n");
    assert.ok(
      lines.slice(0, 4).every(({ length }) => length <= 80),
      stdout,
    );
    assert.doesNotMatch(lines[0] ?? "", /NEXT/);
    assert.ok(
      lines.includes(`next: portcullis mtls flip --admin ${rig.admin} payments/api --to strict`),
    );
  });

  it("has a sentence below the table, and not in it", async () => {
    const why =
      "expected a PeerAuthentication that decides for payments/api alone, got one for more";
    rig.plan = () => ({
      targets: [{ target: "payments/api", mode: "permissive", verdict: safe, waitsFor: [why] }],
    });
    const { stdout } = await run();
    assert.match(stdout, /^- +payments\/api +permissive +SAFE +what is said below +-$/m);
    assert.ok(stdout.includes(`\npayments/api waits for ${why}\n`), stdout);
  });

  it("names who has an object of its own, and exits 3 where what is SAFE has no turn", async () => {
    const decidedBy = { kind: "PeerAuthentication", namespace: "payments", name: "api" };
    const target = "payments/api";
    rig.plan = () => ({ targets: [{ target, mode: "mixed", verdict: safe, decidedBy }] });
    const { status, stdout } = await run();
    assert.equal(status, 3);
    assert.match(
      stdout,
      /\n\n1 has an object of its own, and no part in a flip of payments: payments\/api\n$/,
    );
    const { targets } = JSON.parse((await run(["-o", "json"])).stdout) as { targets: object[] };
    assert.deepEqual(Object.entries(targets[0] ?? {}).at(-1), ["decidedBy", decidedBy]);
  });

  it("exits 0 when all that is not strict can go", async () => {
    rig.plan = () => ({
      targets: [{ target: "a/b", mode: "permissive", verdict: safe, order: 1 }],
    });
    assert.equal((await run()).status, 0);
  });

  it("exits 2 where there is no such namespace, with what there is, and 1 where nothing is known", async () => {
    const message = "there is nothing in namespace payments";
    const hint = "what there is: portcullis get -A";
    rig.plan = () => ({ refused: { code: "target-unknown", message, hint } });
    const at = `--admin ${rig.admin}`;
    const { status, stderr } = await run();
    assert.deepEqual(
      [status, stderr],
      [2, `error: ${message}\nhint: what there is: portcullis get ${at} -A\n`],
    );
    rig.plan = () => ({ refused: { code: "evidence-unavailable", message: "nothing is known" } });
    assert.equal((await run()).status, 1);
  });

  it("says where nothing is", async () => {
    rig.plan = () => ({});
    const { status, stdout } = await run();
    assert.equal(status, 0);
    assert.match(stdout, /^nothing in payments takes calls: portcullis get .*-n payments\n$/);
  });

  it("has verdicts and next commands for programs", async () => {
    const { targets } = JSON.parse((await run(["-o", "json"])).stdout) as {
      targets: { target: string; order: number | null; verdict: { verdict: string } }[];
    };
    assert.deepEqual(
      targets.map(({ target, order, verdict }) => [target, order, verdict.verdict]),
      [
        ["payments/api", 1, "safe"],
        ["payments/web", 2, "safe"],
        ["payments/db", null, "unsafe"],
      ],
    );
  });
});

describe("a server of before", () => {
  it("is said to be one, by each verb, and nothing else is claimed", async () => {
    await using old = await openRootRig(directory.path, "old.sock");
    const verbs = [
      ["check", "payments/api"],
      ["flip", "payments/api", "--to", "strict", "--yes"],
      ["flip", "payments/api"],
      ["revert", "payments/api"],
      ["permissive", "payments/api", "--until", "9d", "--owner", "x"],
      ["plan", "-n", "payments"],
    ];
    for (const words of verbs) {
      const { status, stdout, stderr } = await runWith(["mtls", ...words, "--admin", old.admin]);
      assert.deepEqual([status, stdout], [1, ""], words.join(" "));
      assert.match(stderr, /^error: .*\nhint: .*portcullis status --admin \S+$/m);
      assert.match(stderr, /older/);
    }
  });
});
