/** `mtls check`: the verdict and what it rests on first, everybody who is in the way by name, and what to do about each last. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runWith } from "../server/root-rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  caller,
  hoursLater,
  openFlipRig,
  safe,
  silent,
  unsafe,
  type FlipRig,
  type VerdictAnswer,
} from "./flip-rig.ts";

describe("mtls check", () => {
  const directory = temporaryDirectory();
  let rig: FlipRig;
  before(async () => void (rig = await openFlipRig(directory.path)));
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  beforeEach(() => {
    rig.checks.length = 0;
    says(safe);
  });
  const says = (...answers: readonly VerdictAnswer[]): void => {
    let asked = 0;
    rig.check = () => ({
      result: { case: "verdict", value: answers[Math.min(asked++, answers.length - 1)] ?? safe },
    });
  };
  const run = (words: readonly string[] = [], world = {}) =>
    runWith(["mtls", "check", "payments/api", ...words, "--admin", rig.admin], world);
  const at = () => `--admin ${rig.admin}`;

  it("says SAFE with all that it rests on in one line, then the next command", async () => {
    const { status, stdout, stderr } = await run();
    assert.deepEqual([status, stderr], [0, ""]);
    assert.equal(
      stdout,
      "SAFE: 12 proxies, 7d, 48,211 connections with mTLS, none without, nothing lost\n" +
        `next: portcullis mtls flip ${at()} payments/api --to strict\n`,
    );
    const [{ target, lookBack, operator } = assert.fail()] = rig.checks;
    assert.deepEqual([target, lookBack, operator], ["payments/api", 0n, "ada"]);
  });

  it("shows a look-back that is not the server's, and asks for it again", async () => {
    says({ ...safe, since: hoursLater(-25), proxies: 1, mtlsConnections: 1n });
    const { stdout } = await run(["--look-back", "1d1h"]);
    assert.match(stdout, /^SAFE: 1 proxy, 1d1h \(--look-back\), 1 connection with mTLS, /);
    assert.match(stdout, /--to strict --look-back 1d1h\n$/);
    assert.equal(rig.checks[0]?.lookBack, 90_000n);
  });

  it("says UNSAFE with a line for each caller, and what to do about it", async () => {
    says(unsafe);
    const { status, stdout } = await run();
    assert.equal(status, 4);
    assert.deepEqual(stdout.split("\n"), [
      "UNSAFE: 12 proxies, 7d, 48,211 connections with mTLS, 93 without, nothing lost",
      "",
      "CALLER        HOLDER     KIND        CALLED                COUNT   FIRST      LAST     SAYS",
      "legacy/cron   no proxy   plaintext   payments/api-0:8080      93   2d2h ago   3h ago   curl/8.5.0",
      "  legacy/cron: 10.0.0.9",
      "",
      "next: give a sidecar to legacy/cron",
      "next: or wait: if none of them calls again, none counts in 6d21h",
      `next: or go without them, if they may fail: portcullis mtls flip ${at()} payments/api --to strict --waive legacy/cron --reason 'may fail' --for 1d`,
      "",
    ]);
  });

  it("says UNKNOWN with a line for each silent proxy, and why", async () => {
    const lost = silent("payments/api-3", "lost", { lost: 1_204n, detail: "entries got lost" });
    const gap = silent("payments/api-1", "gap", { until: hoursLater(-4) });
    says({ ...safe, verdict: "unknown", lost: 1_206n, lostMtls: 2n, silent: [gap, lost] });
    const { status, stdout } = await run();
    assert.equal(status, 3);
    assert.match(
      stdout,
      /^UNKNOWN: .*, none without, 1,204 lost without mTLS and 2 with\n\nPROXY +REASON +SINCE +UNTIL\npayments\/api-1 +gap +5h ago +4h ago\npayments\/api-3 +lost \(1,204\) +5h ago +-\n {2}payments\/api-3: entries got lost\n\nnext: nobody watched payments\/api-1 /,
    );
  });

  it("does not say since when where that is cut to the look-back, and until when where that is known", async () => {
    const gone = silent("payments/api-6", "earlier-pod", {
      ...(safe.since && { since: safe.since }),
      until: hoursLater(23),
    });
    says({ ...safe, verdict: "unknown", silent: [gone] });
    const { stdout } = await run();
    assert.match(stdout, /^payments\/api-6 +earlier-pod +over 7d ago +in 23h$/m);
  });

  it("offers no waiver of a target where nobody has a proxy", async () => {
    says({
      ...safe,
      proxies: 0,
      verdict: "unknown",
      silent: [silent("target/payments/api", "nobody")],
    });
    const { status, stdout } = await run();
    assert.equal(status, 3);
    assert.match(
      stdout,
      /^next: target\/payments\/api: without a proxy nobody can say who calls$/m,
    );
    assert.doesNotMatch(stdout, /--waive/);
  });

  it("says SAFE of what only calls, as nothing in it takes calls, and offers no flip", async () => {
    says({ ...safe, proxies: 0, mtlsConnections: 0n });
    const { status, stdout } = await run();
    assert.equal(status, 0);
    assert.equal(
      stdout,
      "SAFE: it only calls: nothing in payments/api takes calls\n" +
        `next: what is there: portcullis get ${at()} -n payments\n`,
    );
  });

  it("has both tables where there are callers and silence, UNSAFE being the worse", async () => {
    says({ ...unsafe, silent: [silent("payments/api-3", "never-reported")] });
    const { status, stdout } = await run();
    assert.equal(status, 4);
    assert.match(stdout, /^CALLER [^]*\n\nPROXY +REASON +SINCE\npayments\/api-3 +never-reported /m);
    assert.match(
      stdout,
      /^next: payments\/api-3: nothing was told within the look-back; .*: portcullis status --admin /m,
    );
  });

  it("says of what is lost with mTLS alone that it decides nothing", async () => {
    says({ ...safe, lost: 3n, lostMtls: 3n });
    const { status, stdout } = await run();
    assert.equal(status, 0);
    assert.match(stdout, /^SAFE: .*, none without, 3 lost, all with mTLS: they decide nothing\n/);
  });

  it("names workloads that should have a proxy and have none, beside the verdict", async () => {
    says({ ...safe, withoutProxy: ["payments/api-9"] });
    const { status, stdout } = await run();
    assert.equal(status, 0);
    assert.match(
      stdout,
      /\n\nnote: payments\/api-9 has no proxy: nobody refuses plaintext there\n\nnext: /,
    );
  });

  it("says of a target that is STRICT who is refused now, and offers neither a flip nor waivers", async () => {
    says({ ...unsafe, strictAlready: true });
    const { status, stdout } = await run();
    assert.equal(status, 4);
    assert.match(
      stdout,
      /\nnote: STRICT already: a flip would change nothing; these are refused now\n/,
    );
    assert.match(stdout, /\nnext: it is STRICT already; .*: portcullis mtls status /);
    assert.doesNotMatch(stdout, /mtls flip|--waive/);
  });

  it("says of a target that is STRICT that it is not known who is refused where a proxy is silent", async () => {
    const away = silent("proxy/payments/api-1", "away");
    says({ ...safe, verdict: "unknown", silent: [away], strictAlready: true });
    assert.match(
      (await run()).stdout,
      /^note: STRICT already: .*; whether anybody is refused now is not known of proxy\/payments\/api-1$/m,
    );
    says({ ...unsafe, silent: [away], strictAlready: true });
    assert.match(
      (await run()).stdout,
      /; these are refused now, and by proxy\/payments\/api-1 it is not known who$/m,
    );
  });

  it("names a flip that is under way, and offers to follow it, and neither a flip nor waivers", async () => {
    const detail = "flip 4 under way: 1 of 3 workloads refuse plaintext";
    const flips = [
      { id: 4n, target: "payments/api", state: "stage", strict: 1, workloads: 3, detail },
    ];
    for (const verdict of [safe, unsafe]) {
      says({ ...verdict, flips });
      const { stdout } = await run();
      assert.ok(stdout.includes(`\nnote: ${detail}\n`), stdout);
      assert.match(stdout, /^next: follow it: portcullis mtls flip --admin \S+ payments\/api$/m);
      assert.doesNotMatch(stdout, /--to strict|--waive/);
    }
    const value = JSON.parse((await run(["-o", "json"])).stdout) as { flips: object[] };
    const object = { kind: null, namespace: null, name: null };
    assert.deepEqual(value.flips, [{ ...flips[0], id: 4, object, awaitsObject: false }]);
  });

  it("names what of a namespace other objects decide, with how many and a command for each", async () => {
    const object = { kind: "PeerAuthentication", namespace: "payments", name: "own" };
    const workloads = ["payments/api-0", "payments/api-1"];
    const others = [
      { target: "payments/api", object, mode: "permissive", workloads, count: 2 },
      { target: "payments/db:5432", object, mode: "strict", workloads, count: 2 },
    ];
    says({ ...safe, target: "payments", decidedByOthers: others });
    const { stdout } = await run();
    assert.match(
      stdout,
      /^note: 2 workloads are no part of it: payments\/api is decided by PeerAuthentication payments\/own \(permissive\), payments\/db:5432 is decided by .* \(strict\)$/m,
    );
    for (const { target } of others) {
      const next = `next: check ${target} by itself: portcullis mtls check ${at()} ${target}\n`;
      assert.ok(stdout.includes(next), stdout);
    }
  });

  it("says that counts are of whole hours where some of it is older than the look-back", async () => {
    const foot = /COUNT and FIRST are of whole hours/;
    says(unsafe, { ...unsafe, since: hoursLater(-2) });
    assert.doesNotMatch((await run()).stdout, foot);
    assert.match((await run()).stdout, foot);
  });

  const reasons: readonly (readonly [string, RegExp])[] = [
    ["never-reported", /next: a\/b: nothing was told within the look-back; .*: portcullis status /],
    ["late", /next: a\/b: it has told, and is behind; wait 30 s, /],
    ["away", /next: a\/b: start its agent again; .*: portcullis status /],
    ["pod-gone", /next: a\/b: its pod is gone, and no node .* as UNTIL says; /],
    ["earlier-pod", /next: a\/b: an earlier pod of this name is gone, .* as UNTIL says; /],
    ["unheard", /next: a\/b: not heard since the server's start; .*: portcullis mtls status /],
  ];
  for (const [reason, said] of reasons) {
    it(`says what to do about a proxy that is ${reason}`, async () => {
      says({ ...safe, verdict: "unknown", silent: [silent("a/b", reason)] });
      assert.match((await run()).stdout, said);
    });
  }

  it("fits its tables into a terminal, and has all of it for programs", async () => {
    const name = "payments-of-the-north/a-workload-with-a-long-name-5d9c7b-x2x7k";
    says({ ...unsafe, callers: [caller(name, { claim: "a-client-that-says-much/1.0" })] });
    const { stdout } = await run([], { isTty: true, columns: 80 });
    const table = stdout.split("\n").slice(2, 4);
    assert.ok(
      table.every(({ length }) => length <= 80),
      table.join("\n"),
    );
    assert.match((await run(["-o", "json"])).stdout, new RegExp(name));
  });

  it("shows who is waived, and does not count them", async () => {
    says({ ...unsafe, verdict: "safe", callers: [caller("legacy/cron", { waived: true })] });
    const { status, stdout } = await run();
    assert.equal(status, 0);
    assert.match(stdout, /^SAFE but for 1 waived: .*, 93 without, /);
    assert.match(stdout, / +WAIVED\nlegacy\/cron .* +yes\n/);
    assert.match(stdout, /\nnext: portcullis mtls flip .* --to strict\n$/);
  });

  const holders: readonly (readonly [string, RegExp])[] = [
    ["workload", /next: let the application call through its own proxy: a\/b\n/],
    ["unmeshed-workload", /next: give a sidecar to a\/b\n/],
    ["own-host", /next: a\/b: .*health probe/],
    ["several", /next: a\/b: several had that address/],
    ["unknown", /next: find out who has a\/b, /],
    ["identity", /next: a\/b: of the mesh, and was refused/],
    ["others", /next: there are more callers than an agent names/],
    [
      "configuration",
      /next: a\/b is told .*: portcullis mtls explain --admin \S+ a\/b payments\/api-0:8080\n/,
    ],
  ];
  for (const [holder, said] of holders) {
    it(`says what to do about a caller that is ${holder}`, async () => {
      says({ ...unsafe, callers: [caller("a/b", { holder })] });
      assert.match((await run()).stdout, said);
    });
  }

  it("does not say what a caller of configuration alone would be waited for", async () => {
    const { firstSeen, lastSeen, ...never } = caller("a/b", { holder: "configuration" });
    assert.ok(firstSeen && lastSeen);
    says({ ...unsafe, callers: [never] });
    assert.doesNotMatch((await run()).stdout, /if none of them calls again/);
  });

  for (const [mode, said] of [
    ["strict", /^next: it is STRICT already; .*: portcullis mtls status --admin \S+ -n payments$/m],
    [
      "disable",
      /^next: what is DISABLE .*: portcullis mtls permissive .* --until 30d --owner NAME$/m,
    ],
  ] as const) {
    it(`names another next command where it is ${mode}`, async () => {
      says({ ...safe, ports: [{ workload: "payments/api-0", port: 0, mode }] });
      assert.match((await run()).stdout, said);
    });
  }

  it("has the same for programs, with what comes next", async () => {
    says({ ...unsafe, silent: [silent("payments/api-3", "gap")] });
    const { status, stdout } = await run(["-o", "json"]);
    assert.equal(status, 4);
    const value = JSON.parse(stdout) as Record<string, unknown>;
    const keys =
      "target verdict now since proxies mtlsConnections openMtls otherConnections lost lostMtls strictAlready callers silent ports " +
      "withoutProxy decidedByOthers flips waivers next";
    assert.deepEqual(Object.keys(value), keys.split(" "));
    assert.deepEqual(value["callers"], [
      {
        name: "legacy/cron",
        holder: "unmeshed-workload",
        addresses: ["10.0.0.9"],
        kind: "plaintext",
        refused: false,
        called: ["payments/api-0:8080"],
        firstSeen: "2026-11-27T10:00:00Z",
        lastSeen: "2026-11-29T09:00:00Z",
        count: 93,
        claim: "curl/8.5.0",
        waived: false,
        detail: "",
      },
    ]);
  });

  it("lets nothing that a caller says of itself move the terminal", async () => {
    const claim = "\u001B[2Jcurl\u202E";
    says({ ...unsafe, callers: [caller("legacy/cron", { claim, detail: claim })] });
    const { stdout } = await run();
    assert.ok(!stdout.includes("\u001B") && !stdout.includes("\u202E"));
  });

  it("exits 1 for a target that is not there, which is no verdict, with the server's hint", async () => {
    const message = "expected a target that is there, got payments/apu";
    const hint = "did you mean payments/api: portcullis mtls check payments/api";
    const value = { code: "target-unknown", message, hint };
    rig.check = () => ({ result: { case: "refused", value } });
    const { status, stdout, stderr } = await run();
    assert.deepEqual([status, stdout], [1, ""]);
    assert.equal(
      stderr,
      `error: ${message}\nhint: did you mean payments/api: portcullis mtls check ${at()} payments/api\n`,
    );
    const again = await run(["--look-back", "1d"]);
    assert.match(again.stderr, / payments\/api --look-back 1d\n$/);
    const json = await run(["-o", "json"]);
    const { error } = JSON.parse(json.stderr) as { error: { code: string } };
    assert.equal(error.code, "target-unknown");
  });

  it("exits 2 for what the server cannot understand", async () => {
    rig.check = () => {
      throw new Error("expected NAMESPACE/NAME");
    };
    const { status, stderr } = await run();
    assert.equal(status, 2);
    assert.match(stderr, /NAMESPACE\/NAME\nhint: portcullis help mtls check\n$/);
  });

  for (const words of [
    ["--look-back", "0s"],
    ["--watch", "-o", "yaml"],
  ]) {
    it(`refuses ${words.join(" ")} before it asks`, async () => {
      assert.equal((await run(words)).status, 2);
      assert.deepEqual(rig.checks, []);
    });
  }

  describe("--watch", () => {
    /** Ends when so many answers have been given. */
    const watch = async (answers: readonly VerdictAnswer[], words: readonly string[] = []) => {
      const end = new AbortController();
      let asked = 0;
      rig.check = () => {
        const value = answers[asked++];
        if (asked === answers.length) setTimeout(() => end.abort(), 100);
        return { result: { case: "verdict", value: value ?? answers.at(-1) ?? safe } };
      };
      return await run(["--watch", ...words], { signal: end.signal });
    };
    const gone = { ...safe, silent: [silent("payments/api-3", "gap")], verdict: "unknown" };

    it(
      "says who comes and who goes, and exits by the last verdict",
      { timeout: 20_000 },
      async () => {
        const { status, stdout, stderr } = await watch([unsafe, unsafe, gone]);
        assert.deepEqual([status, stderr], [3, ""]);
        const [, watched = ""] = stdout.split("--for 1d\n");
        assert.deepEqual(watched.split("\n"), [
          "UNSAFE: 1 caller, nobody silent",
          "UNKNOWN: 12 proxies, 7d, 48,211 connections with mTLS, none without, nothing lost",
          "does not count any more: legacy/cron",
          "silent: payments/api-3 (gap)",
          "UNKNOWN: no callers, 1 silent",
          "",
        ]);
      },
    );

    it("names who calls and is waived, too, and when he is past", { timeout: 20_000 }, async () => {
      const cron = caller("legacy/cron", { waived: true, claim: "" });
      const quiet = silent("payments/api-3", "away", { waived: true });
      const passed = { ...safe, callers: [cron], silent: [quiet] };
      const { status, stdout } = await watch([safe, passed, safe]);
      assert.equal(status, 0);
      const [, watched = ""] = stdout.split("--to strict\n");
      assert.deepEqual(watched.split("\n").slice(0, 5), [
        "caller: legacy/cron (workload without a proxy), plaintext, payments/api-0:8080, waived",
        "silent: payments/api-3 (away), waived",
        "SAFE: no callers, nobody silent, 2 waived",
        "was waived, and is past: legacy/cron",
        "SAFE: no callers, nobody silent",
      ]);
    });

    it("is an object a line for programs, for each change", { timeout: 20_000 }, async () => {
      const { stdout } = await watch([unsafe, unsafe, gone], ["-o", "json"]);
      const events = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { event: string; verdict: string });
      assert.deepEqual(
        events.map(({ event, verdict }) => [event, verdict]),
        [
          ["verdict", "unsafe"],
          ["verdict", "unknown"],
        ],
      );
    });
  });
});
