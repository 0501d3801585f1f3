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
      "prepare   not now: go on",
      "activate   not now: expected every verifier to hold it; at the latest in 3h",
      `   next: portcullis root status --admin ${rig.admin} --all`,
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
      /^next: portcullis root rotate --admin \S+ --resume/m,
    ];
    for (const each of wanted) assert.match(stdout, each);
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
      /^nobody stands in the way now\n\nnext: portcullis root rotate --admin \S+, or/m,
    );
    const json = JSON.parse((await run("plan", "-o", "json")).stdout) as {
      steps: readonly { state: string }[];
      seconds: { atMost: number };
    };
    assert.deepEqual(
      json.steps.map(({ state }) => state),
      ["now", ...Array<string>(6).fill("later")],
    );
    assert.equal(json.seconds.atMost, 3 * 86_401 + 3 * 2);
  });
});
