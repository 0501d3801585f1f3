/** `mtls flip --to strict`: shown, asked for and sent once; who is not waived by name stops it. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runWith } from "../server/root-rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  caller,
  flip,
  objects,
  openFlipRig,
  safe,
  silent,
  unsafe,
  type FlipRig,
  type RefusalAnswer,
  type VerdictAnswer,
} from "./flip-rig.ts";

const yes = { ask: () => Promise.resolve("yes") };
const waiver = ["--waive", "legacy/*", "--reason", "shut down on Friday", "--for", "2d"];

describe("mtls flip --to strict", () => {
  const directory = temporaryDirectory();
  let rig: FlipRig;
  before(async () => void (rig = await openFlipRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => {
    rig.starts.length = 0;
    rig.waived.length = 0;
    rig.waive = () => undefined;
    rig.start = () => ({
      result: { case: "flip", value: flip("editing") },
      ...objects,
      verdict: safe,
    });
    rig.flips = () => [flip("done", { endedAt: flip("done").now ?? assert.fail() })];
  });
  const run = (words: readonly string[] = [], world = {}) =>
    runWith(
      ["mtls", "flip", "payments/api", "--to", "strict", ...words, "--admin", rig.admin],
      world,
    );
  const sent = () => rig.starts.map(({ dryRun }) => (dryRun ? "asked" : "ordered"));
  const refuses = (value: RefusalAnswer): void => {
    rig.start = () => ({ result: { case: "refused", value }, ...objects });
  };
  /** Until those are waived. */
  const isUnsafe = (verdict: VerdictAnswer): void => {
    rig.start = ({ dryRun }) =>
      dryRun || rig.waived.length === 0
        ? {
            result: { case: "refused", value: { code: "not-safe", message: "it is not", verdict } },
            ...objects,
          }
        : { result: { case: "flip", value: flip("editing") }, ...objects, verdict };
  };

  it("shows the change, the verdict and the stages, asks, and orders it once", async () => {
    let asked = "";
    const ask = (question: string) => {
      asked = question;
      assert.deepEqual(sent(), ["asked"]);
      return Promise.resolve("yes");
    };
    const flags = ["--stages", "1,10%,all", "--revert-window", "10m", "--revert-on-refused", "3"];
    const { status, stdout, stderr } = await run([...flags, "--look-back", "1d"], { ask });
    assert.equal(status, 0);
    assert.deepEqual(stderr.split("\n"), [
      "PeerAuthentication payments/api would be configured",
      "--- PeerAuthentication payments/api",
      "+++ PeerAuthentication payments/api",
      "@@ -5,7 +5,7 @@",
      "   namespace: payments",
      " spec:",
      "   mtls:",
      "-    mode: PERMISSIVE",
      "+    mode: STRICT",
      "   selector:",
      "     matchLabels:",
      "       app: api",
      "",
      "SAFE: 12 proxies, 7d (--look-back), 48,211 connections with mTLS, none without, nothing lost",
      "",
      "stages: 1, 10%, all",
      "revert window: 10m",
      "taken back when a call of the mesh fails, or 3 workloads are refused by name",
      "",
    ]);
    assert.equal(asked, "Flip payments/api to strict? Type yes: ");
    assert.match(stdout, /^flip 7 of payments\/api has begun\n/);
    assert.deepEqual(sent(), ["asked", "ordered"]);
    const { stages, revertWindow, revertOnRefused, lookBack, operator, awaitsObject } =
      rig.starts[1] ?? assert.fail();
    assert.deepEqual(
      [stages, revertWindow, revertOnRefused, lookBack, operator, awaitsObject],
      ["1,10%,all", 600n, 3, 86_400n, "ada", false],
    );
  });

  const noes: Readonly<Record<string, object>> = {
    "there is no terminal": {},
    "the answer is no": { ask: () => Promise.resolve("no") },
    "the answer is short": { ask: () => Promise.resolve("y") },
    "no answer comes": { ask: () => Promise.resolve(undefined) },
  };
  for (const [title, world] of Object.entries(noes)) {
    it(`orders nothing and exits 4 when ${title}, with the command that does it`, async () => {
      const { status, stderr } = await run(["--stages", "1,all"], world);
      assert.equal(status, 4);
      assert.deepEqual(sent(), ["asked"]);
      assert.match(stderr, /^refused: .*nothing was changed \(confirmation-missing\)$/m);
      const command = `portcullis mtls flip --admin ${rig.admin} payments/api --to strict --stages 1,all --yes`;
      assert.ok(stderr.endsWith(`hint: look at the change; if it is meant: ${command}\n`), stderr);
    });
  }

  it("orders nothing by Ctrl-C at the question, and leaves the exit code to the signal", async () => {
    const interruption = new AbortController();
    const ask = () => {
      interruption.abort();
      return Promise.resolve(undefined);
    };
    const { status, stderr } = await run([], { ask, signal: interruption.signal });
    assert.equal(status, 1);
    assert.match(stderr, /\ninterrupted: nothing was changed\n$/);
    assert.deepEqual(sent(), ["asked"]);
  });

  it("is refused where callers are in the way, with their names and what to do", async () => {
    const message = "expected SAFE, got 1 caller";
    const hint = "who they are: portcullis mtls check payments/api";
    refuses({ code: "not-safe", message, hint, verdict: unsafe });
    const { status, stdout, stderr } = await run(["--yes"]);
    assert.deepEqual([status, stdout], [4, ""]);
    assert.match(
      stderr,
      /^refused: expected SAFE, got 1 caller \(not-safe\)\nUNSAFE: .*\n\nCALLER .*\nlegacy\/cron /,
    );
    assert.match(
      stderr,
      /^hint: who they are: portcullis mtls check --admin \S+ payments\/api\nhint: give a sidecar to legacy\/cron$/m,
    );
    assert.deepEqual(sent(), ["asked"]);
  });

  it("is refused to programs with the code, the verdict and the next commands, on one line", async () => {
    refuses({ code: "not-safe", message: "no", hint: "wait", verdict: unsafe });
    const { status, stdout } = await run(["--yes", "-o", "json"]);
    assert.equal(status, 4);
    const { event, refused } = JSON.parse(stdout) as {
      event: string;
      refused: { code: string; verdict: { verdict: string }; next: { why: string }[] };
    };
    assert.deepEqual(
      [event, refused.code, refused.verdict.verdict, refused.next[0]?.why],
      ["refused", "not-safe", "unsafe", "wait"],
    );
  });

  it("waives by name, shows whom, asks once for both, and then orders", async () => {
    isUnsafe({ ...unsafe, silent: [silent("legacy/old-1", "gap")] });
    let asked = "";
    const ask = (question: string) => {
      asked = question;
      assert.deepEqual([rig.waived, sent()], [[], ["asked"]]);
      return Promise.resolve("yes");
    };
    const { status, stderr } = await run(waiver, { ask });
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /\nSAFE but for 2 waived: [^]*legacy\/cron .* yes\n[^]*legacy\/old-1 .* yes\n/,
    );
    assert.match(stderr, /^waived 2 of them for 2d$/m);
    assert.match(
      asked,
      /^Waive 2 of them for 2d, who may be refused, and flip payments\/api to strict\?/,
    );
    const [{ target, names, reason, operator, until } = assert.fail()] = rig.waived;
    assert.deepEqual(
      [target, names, reason, operator],
      ["payments/api", ["legacy/cron", "legacy/old-1"], "shut down on Friday", "ada"],
    );
    assert.equal(until?.seconds, (safe.now?.seconds ?? 0n) + 172_800n);
    assert.deepEqual(sent(), ["asked", "ordered"]);
  });

  it("waives nobody where somebody would be left, and names who is", async () => {
    isUnsafe({ ...unsafe, callers: [caller("legacy/cron"), caller("10.0.0.9")] });
    const more = ["--stages", "1,all", "--look-back", "1d"];
    const { status, stderr } = await run([...waiver, ...more, "--yes"]);
    assert.equal(status, 4);
    assert.match(stderr, /^refused: .*but those waivers, got 1 more \(not-safe\)$/m);
    assert.match(stderr, /^UNSAFE \(1 waived\): /m);
    assert.match(
      stderr,
      / payments\/api --to strict --stages 1,all --look-back 1d --waive 'legacy\/\*' --waive 10\.0\.0\.9 --reason 'shut down on Friday' --for 2d$/m,
    );
    assert.deepEqual([rig.waived, sent()], [[], ["asked"]]);
  });

  const selectors: Readonly<Record<string, boolean>> = {
    "legacy/cron": true,
    "*": true,
    "*cron": true,
    "le*y/c*n": true,
    legacy: false,
    "legacy/cron/*": false,
    "legacy/cr*ron": false,
    "*x*": false,
  };
  for (const [selector, isMeant] of Object.entries(selectors)) {
    it(`--waive ${selector} ${isMeant ? "stands for" : "does not stand for"} legacy/cron`, async () => {
      isUnsafe(unsafe);
      const words = ["--waive", selector, "--reason", "x", "--for", "2h", "--yes"];
      const { status, stderr } = await run(words);
      assert.equal(status, isMeant ? 0 : 4);
      assert.equal(rig.waived.length, isMeant ? 1 : 0);
      if (!isMeant) assert.match(stderr, /stands for nobody .* \(waiver-nobody\)$/m);
    });
  }

  it("says of --waive where nobody is in the way, or who is waived already, to leave it out", async () => {
    for (const callers of [[], [caller("legacy/cron", { waived: true })]]) {
      rig.start = () => ({
        result: { case: "flip", value: flip("editing") },
        ...objects,
        verdict: { ...safe, callers },
      });
      const { status, stderr } = await run([
        "--waive",
        "*",
        "--reason",
        "x",
        "--for",
        "2h",
        "--yes",
      ]);
      assert.equal(status, 4);
      assert.match(
        stderr,
        /^hint: nobody is in the way who is not waived already: leave out --waive: portcullis mtls flip --admin \S+ payments\/api --to strict$/m,
      );
    }
  });

  it("asks for waivers only where they help: another refusal stays one", async () => {
    refuses({
      code: "flip-in-progress",
      message: "one is on",
      hint: "portcullis mtls flip payments/api",
    });
    const { status, stderr } = await run([...waiver, "--yes"]);
    assert.equal(status, 4);
    assert.match(
      stderr,
      /^refused: one is on \(flip-in-progress\)\nhint: portcullis mtls flip --admin /,
    );
    assert.deepEqual(rig.waived, []);
  });

  it("does not order it where the server refuses the waivers", async () => {
    isUnsafe(unsafe);
    rig.waive = () => ({ code: "waivers-full", message: "expected fewer" });
    const { status, stderr } = await run([...waiver, "--yes"]);
    assert.equal(status, 4);
    assert.match(stderr, /^refused: expected fewer \(waivers-full\)$/m);
    assert.deepEqual(sent(), ["asked"]);
  });

  it("changes nothing in a dry run, which says all of it on stdout, with who would be waived", async () => {
    isUnsafe(unsafe);
    const { status, stdout, stderr } = await run([...waiver, "--dry-run"], yes);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(
      stdout,
      /^PeerAuthentication[^]*\+ {4}mode: STRICT\n[^]*\nwould waive 1 of them for 2d\n/,
    );
    assert.match(stdout, /\nnothing was changed: this was a dry run\n$/);
    assert.deepEqual([rig.waived, sent()], [[], ["asked"]]);
  });

  describe("-o yaml", () => {
    const yaml = [
      "apiVersion: security.istio.io/v1",
      "kind: PeerAuthentication",
      "metadata:",
      "  name: api",
      "  namespace: payments",
      "spec:",
      "  mtls:",
      "    mode: STRICT",
      "  selector:",
      "    matchLabels:",
      "      app: api",
      "",
    ].join("\n");

    it("prints the object alone, lets the server wait for it, and follows on stderr", async () => {
      const { status, stdout, stderr } = await run(["-o", "yaml"], yes);
      assert.deepEqual([status, stdout], [0, yaml]);
      assert.deepEqual(
        rig.starts.map(({ awaitsObject }) => awaitsObject),
        [true, true],
      );
      assert.match(stderr, /^PeerAuthentication .* is to be configured: nothing is written here$/m);
      assert.match(stderr, /^commit the object that is printed: the flip waits for it to arrive$/m);
      assert.match(stderr, /^flip 7 of payments\/api has begun$/m);
      assert.match(stderr, /done: payments\/api is strict/);
    });

    it("begins nothing in a dry run", async () => {
      const { status, stdout } = await run(["-o", "yaml", "--dry-run"]);
      assert.deepEqual([status, stdout, sent()], [0, yaml, ["asked"]]);
    });

    it("prints nothing on stdout where it is refused", async () => {
      const { status, stdout } = await run(["-o", "yaml"]);
      assert.deepEqual([status, stdout], [4, ""]);
    });
  });

  it("is followed by nobody with --no-follow, and says how to look and to go back", async () => {
    const { status, stderr } = await run(["--no-follow", "--yes"]);
    assert.equal(status, 3);
    const at = `--admin ${rig.admin} payments/api`;
    assert.ok(
      stderr.endsWith(
        `next: look at it again: portcullis mtls flip ${at}\nnext: take it back: portcullis mtls revert ${at}\n`,
      ),
      stderr,
    );
  });

  it("sees an answer that says nothing as no success", async () => {
    rig.start = () => ({});
    const { status, stderr } = await run(["--yes"]);
    assert.equal(status, 4);
    assert.match(stderr, /\(answer-empty\)/);
  });

  describe("says before it asks a server", () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["--to", "permissive"],
        /^hint: to take a flip back: portcullis mtls revert --admin \S+ payments\/api$/m,
      ],
      [
        ["--to", "permissive"],
        /^hint: for a time, .*: portcullis mtls permissive --admin \S+ payments\/api --until 30d /m,
      ],
      [["--to", "disable"], /--to: expected one of strict, permissive/],
      [["--to", "strict", "--waive", "x"], /--waive: expected --reason TEXT with it/],
      [["--to", "strict", "--look-back", "0s"], /--look-back: expected a time/],
      [["--stages", "all"], /--stages: expected --to strict with it/],
      [["--to", "strict", "--stages", "0"], /^error: --stages: expected .*, got "0"$/m],
      [["--to", "strict", "--stages", "1"], /^error: --stages: expected "all" as the last stage/m],
      [
        ["--to", "strict", "--revert-on-refused", "0"],
        /--revert-on-refused: expected 1 workload or/,
      ],
      [["--to", "strict", "--revert-window", "0s"], /--revert-window: expected 1s or more, got 0s/],
      [["--yes"], /--yes: expected --to strict with it/],
      [["--dry-run"], /--dry-run: expected --to strict with it/],
      [["--waive", "x"], /--waive: expected --to strict with it/],
    ];
    for (const [words, said] of wrong) {
      it(`that ${words.join(" ")} is wrong`, async () => {
        const all = ["mtls", "flip", "payments/api", ...words, "--admin", rig.admin];
        const { status, stderr } = await runWith(all);
        assert.equal(status, 2);
        assert.match(stderr, said);
        assert.deepEqual(rig.starts, []);
      });
    }
  });
});
