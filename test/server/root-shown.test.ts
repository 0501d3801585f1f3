/** `root status` and `root plan`: what an operator reads of a rotation that waits. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  files,
  hoursLater,
  openRootRig,
  proxy,
  runWith,
  type RootRig,
  type StatusAnswer,
} from "./root-rig.ts";

const key = { keyType: "p256", keyLocation: "store", lifeLeftPercent: 91 };
const old = {
  ...key,
  id: "0a",
  state: "active",
  since: hoursLater(-48),
  notAfter: hoursLater(24_000),
};
const next = {
  ...key,
  id: "0b",
  state: "prepared",
  since: hoursLater(-1),
  notAfter: hoursLater(80_000),
};
const waiting: StatusAnswer = {
  trustDomain: "cluster.local",
  epoch: 4n,
  bundleSequence: 7n,
  authorities: [next, old],
  steps: [
    { command: "prepare", reason: "rotation-in-progress", detail: "expected none", hint: "go on" },
    {
      command: "activate",
      reason: "verifiers-lagging",
      detail: "expected every verifier to hold it",
      hint: "portcullis root status --all",
      opensAt: hoursLater(3),
    },
    { command: "abort", isAllowed: true },
  ],
  verifiers: {
    total: 5n,
    confirmed: 3n,
    weak: 1n,
    waived: 1n,
    lagging: 2n,
    laggards: [proxy, files],
  },
  holders: [{ authorityId: "0a", unexpired: 400n, lastEndsAt: hoursLater(20) }],
  reissue: { left: 0n, perSecond: 100 },
  waivers: [
    { name: "class/configmap", reason: "changed by hand", operator: "ada", until: hoursLater(1) },
  ],
  maxTtlSeconds: 86_400n,
  skewMs: 500n,
};

describe("an operator", () => {
  const directory = temporaryDirectory();
  let rig: RootRig;
  before(async () => {
    rig = await openRootRig(directory.path);
    rig.status = () => waiting;
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  const run = (...words: readonly string[]) => runWith(["root", ...words, "--admin", rig.admin]);

  it("sees where the rotation stands, who lags, and what may be done", async () => {
    const { status, stdout, stderr } = await run("status");
    assert.deepEqual([status, stderr], [3, ""]);
    assert.deepEqual(stdout.replaceAll(/ {3,}/g, "   ").split("\n"), [
      "trust domain cluster.local, trust bundle 7, epoch 4",
      "",
      "AUTHORITY   STATE   SINCE   KEY   EXPIRES   LIFE LEFT   CERTIFICATES",
      "0b   prepared   1h ago   p256 (store)   in 3333d8h   91 %   -",
      "0a   active   2d ago   p256 (store)   in 1000d   91 %   400",
      "",
      "3 of 5 verifiers hold the present bundle; 1 of them by a delivery or a renewal, not by an acknowledgement; 1 waived; 2 lag",
      "WHO   REASON   ENDS",
      "class/files   unobservable   -",
      "proxy/web-7@spiffe://cluster.local/ns/shop/sa/web   not-connected   in 3h",
      "  unobservable: configured",
      "  not-connected: away for 2h",
      "",
      "WAIVED   ENDS   BY   REASON",
      "class/configmap   in 1h   ada   changed by hand",
      "",
      "prepare   not now: a rotation is going on",
      "activate   not now: expected every verifier to hold it; at the latest in 3h",
      `   portcullis root status --admin ${rig.admin} --all`,
      "abort   may be done now",
      "",
    ]);
  });

  it("has all of it as a value, with all who lag if that is asked for", async () => {
    const { stdout } = await run("status", "--all", "-o", "json");
    const value = JSON.parse(stdout) as {
      verifiers: { laggards: readonly { name: string; endsAt: string }[] };
      holders: readonly { unexpired: number }[];
    };
    assert.deepEqual(
      value.verifiers.laggards.map(({ name, endsAt }) => [name, endsAt]),
      [
        [proxy.name, "2026-11-29T15:00:00Z"],
        [files.name, ""],
      ],
    );
    assert.equal(value.holders[0]?.unexpired, 400);
    // Of workloads all are asked for where there are more than were named.
    assert.deepEqual(rig.namedMax, [20, 1_000_000]);
  });

  it("reads what is left of a rotation, how long it takes, and whom nobody can observe", async () => {
    const { status, stdout } = await run("plan");
    assert.equal(status, 3);
    const wanted: readonly RegExp[] = [
      /^what is left of the rotation of cluster\.local: about 23h, .*\nat most 3d,/m,
      /^done 1 portcullis root prepare --admin \S+\n +0b is prepared$/m,
      /^now {2}2 confirm \(about 3h, at most 1d\)$/m,
      /^ {5}5 re-issue and expire \(about 20h, at most 1d\)\n +0a: 400 certificates hang/m,
      /^in the way now, 1 who does not hold the present bundle:\nWHO .*\nproxy\/web-7@/m,
      /^class\/configmap: [^]*waived now$/m,
      /^class\/files: [^]*--waive class\/files/m,
      /^next: portcullis root rotate --admin \S+ --resume$/m,
    ];
    for (const each of wanted) assert.match(stdout, each);
  });

  it("plans with what others have signed under an adopted root, and exits 3 until it is waived", async () => {
    const elsewhere = { kind: "class", name: "class/signed-elsewhere", reason: "unobservable" };
    const steps = [{ command: "prepare", isAllowed: true }];
    const verifiers = { total: 5n, confirmed: 5n };
    const named = [elsewhere];
    const holders = [{ authorityId: "0a", unexpired: 1n, named }];
    rig.status = () => ({
      ...waiting,
      authorities: [old],
      steps,
      verifiers,
      holders,
      waivers: [],
    });
    const { status, stdout } = await run("plan");
    assert.equal(status, 3);
    assert.match(
      stdout,
      /^class\/signed-elsewhere: [^]*until the\s+last of them has expired; then:\nportcullis root rotate --admin \S+ --resume --waive class\/signed-elsewhere /m,
    );
    assert.match(stdout, /^nobody else stands in the way now$/m);
    assert.match(
      stdout,
      /0a: 0 certificates hang on its root, beside those that were signed\s+elsewhere;/,
    );
    const waivers = [{ name: elsewhere.name, until: hoursLater(1) }];
    const waived = { unexpired: 1n, waived: 1n, authorityId: "0a" };
    rig.status = () => ({
      ...waiting,
      authorities: [old],
      steps,
      verifiers,
      holders: [waived],
      waivers,
    });
    assert.equal((await run("plan")).status, 0);
    // Of the one that signs now nothing has to end, once the old one has gone.
    const authorities = [
      { ...next, state: "active" },
      { ...old, state: "retired" },
    ];
    const present = [{ authorityId: "0b", unexpired: 4n, named }];
    rig.status = () => ({ ...waiting, authorities, steps, verifiers, holders: present });
    const over = (await run("plan")).stdout;
    assert.match(
      over,
      /^done 5 re-issue and expire\n +0a: no certificate of it is waited for any more$/m,
    );
    assert.doesNotMatch(over, /signed-elsewhere/);
  });

  it("is told what to wait for, where nothing but what others have signed holds the end", async () => {
    const elsewhere = { kind: "class", name: "class/signed-elsewhere", reason: "unobservable" };
    const authorities = [
      { ...next, state: "active" },
      { ...old, state: "retiring" },
    ];
    const holders = [{ authorityId: "0a", unexpired: 1n, named: [elsewhere] }];
    const steps = [{ command: "retire", reason: "holders-left", detail: "expected none" }];
    const verifiers = { total: 5n, confirmed: 5n };
    rig.status = () => ({ ...waiting, authorities, steps, verifiers, holders, waivers: [] });
    const { status, stderr } = await run("rotate", "--resume", "--timeout", "1s");
    assert.equal(status, 3);
    assert.match(
      stderr,
      /^next: when the last certificate that was signed elsewhere .* has expired: portcullis root rotate .*--waive class\/signed-elsewhere /m,
    );
    assert.doesNotMatch(stderr, /handed/);
  });

  it("plans with the wait for the old certificates, where the server's own have no end", async () => {
    const own = { kind: "server", name: "server/own-certificate-mesh", reason: "own-certificate" };
    const leaf = (hours: number) => ({
      kind: "certificate",
      name: `certificate/${hours}`,
      spiffeId: `spiffe://cluster.local/${hours}`,
      reason: "unexpired",
      endsAt: hoursLater(hours),
    });
    rig.status = () => ({
      ...waiting,
      authorities: [old],
      verifiers: { total: 5n, confirmed: 5n },
      holders: [{ authorityId: "0a", unexpired: 3n, named: [own, leaf(2), leaf(23)] }],
      waivers: [],
    });
    const { stdout } = await run("plan");
    assert.match(stdout, /^a rotation of cluster\.local: about 23h, .*\nat most 3d,/m);
    assert.match(
      stdout,
      /^ +0a: 2 certificates of 2 workloads hang on its root, the last ends in 23h/m,
    );
  });

  for (const [command, authorities] of [
    ["activate", [next, old]],
    ["retire", [old, { ...next, state: "retiring" }]],
    ["prepare", [old]],
  ] as const) {
    it(`learns from the plan that ${command} would be refused whoever confirms, and exits 3`, async () => {
      const refused = { command, reason: "some-hindrance", detail: "expected its key, got none" };
      const verifiers = { total: 5n, confirmed: 5n };
      const all = [...authorities];
      rig.status = () => ({
        ...waiting,
        authorities: all,
        steps: [refused],
        verifiers,
        waivers: [],
      });
      const { status, stdout } = await run("plan");
      assert.equal(status, 3);
      assert.match(stdout, /^the next command would be refused: expected its key, got none$/m);
      assert.doesNotMatch(stdout, /stands in the way/);
      assert.match(stdout, /^next: portcullis root status --admin \S+$/m);
    });
  }

  it("plans no longer for the least than for the most, also with certificates from before a restore", async () => {
    const lost = { kind: "class", name: "class/lost-owners", reason: "unobservable" };
    const verifiers = {
      total: 1n,
      lagging: 1n,
      laggards: [{ ...lost, endsAt: hoursLater(24) }],
    };
    const holders = [{ authorityId: "0a", unexpired: 1n, lastEndsAt: hoursLater(24) }];
    rig.status = () => ({ ...waiting, maxTtlSeconds: 120n, verifiers, holders });
    const { stdout } = await run("plan");
    assert.match(stdout, /about 2d, .*\nat most 2d,/);
    assert.match(stdout, /^now {2}2 confirm \(at most 1d\)$/m);
    assert.match(stdout, /^ {5}5 re-issue and expire \(at most 1d\)$/m);
  });

  it("plans from the beginning where nothing has begun, and learns that nobody is in the way", async () => {
    rig.status = () => ({
      ...waiting,
      authorities: [old],
      steps: [{ command: "prepare", isAllowed: true }],
      verifiers: { total: 5n, confirmed: 5n },
      waivers: [],
    });
    const { status, stdout } = await run("plan");
    assert.equal(status, 0);
    assert.match(stdout, /^now {2}1 portcullis root prepare/m);
    assert.match(
      stdout,
      /^nobody stands in the way now\n\nnext: portcullis root rotate --admin \S+$/m,
    );
    const json = JSON.parse((await run("plan", "-o", "json")).stdout) as {
      steps: readonly { state: string; command: string }[];
      next: unknown;
      seconds: { atMost: number };
    };
    assert.deepEqual(
      json.steps.map(({ state }) => state),
      ["now", ...Array<string>(6).fill("later")],
    );
    assert.equal(json.seconds.atMost, 3 * 86_401 + 3 * 2);
    const flags = ` --admin ${rig.admin}`;
    assert.deepEqual(json.next, [{ command: `portcullis root rotate${flags}`, why: "" }]);
    const commands = json.steps.map(({ command }) => command).filter((command) => command !== "");
    assert.ok(
      commands.every((command) => command.endsWith(flags)),
      commands.join("\n"),
    );
  });

  for (const [left, code] of [
    [24, 3],
    [9, 4],
  ] as const) {
    it(`reads why status exits ${code} where a root has ${left} % of its life left, and plan 3`, async () => {
      const authorities = [{ ...old, lifeLeftPercent: left }];
      const steps = [{ command: "prepare", isAllowed: true }];
      rig.status = () => ({ trustDomain: "cluster.local", authorities, steps });
      const warning = `warning: the root of authority 0a, active, has ${left} % of its life left`;
      const shown = await run("status");
      assert.equal(shown.status, code);
      assert.match(
        shown.stdout,
        new RegExp(`^${warning}\nnext: .*: portcullis root plan --admin`, "m"),
      );
      const plan = await run("plan");
      assert.equal(plan.status, 3);
      assert.match(plan.stdout, new RegExp(`^${warning}$`, "m"));
    });
  }

  it("reads whole commands in a narrow window", async () => {
    rig.status = () => waiting;
    const words = ["root", "status", "--admin", rig.admin];
    const { stdout } = await runWith(words, { columns: 40 });
    const command = `portcullis root status --admin ${rig.admin} --all`;
    assert.ok(
      stdout.split("\n").some((line) => line.trim() === command),
      stdout,
    );
  });

  it("does not count what a restored log has lost as one certificate", async () => {
    const lost = { kind: "class", name: "class/lost-certificates", reason: "perhaps-signed" };
    const named = [{ ...lost, endsAt: hoursLater(9) }];
    const authorities = [
      { ...next, state: "active" },
      { ...old, state: "retiring" },
    ];
    const holders = [{ authorityId: "0a", unexpired: 1n, named, lastEndsAt: hoursLater(9) }];
    rig.status = () => ({ ...waiting, authorities, holders });
    const { stdout } = await run("status");
    assert.match(
      stdout,
      /^0a: 0 certificates hang on its root, beside those that do not stand in the log, the last ends in 9h$/m,
    );
    assert.match(stdout, /^0a +retiring .* 0$/m);
  });
});
