import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { describe, it, mock } from "node:test";
import {
  coverageOf,
  EVIDENCE_NOW_MS as now,
  HOUR_MS,
  memberOf,
  reportOf,
  seenOf,
} from "../../../test/support/evidence.ts";
import { smallDisk, withSmallDisk } from "../../../test/support/small-disk.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { evidencePath } from "./evidence-database.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import { EvidenceStore, type EvidenceStoreOptions } from "./evidence-store.ts";

function options(dataDir: string): EvidenceStoreOptions & { readonly said: EventTarget } {
  const said = new EventTarget();
  const say = (event: string) => () => void said.dispatchEvent(new Event(event));
  return {
    dataDir,
    retentionMs: () => 7 * 24 * HOUR_MS,
    nowMs: () => now,
    onFailed: say("failed"),
    onRecovered: say("recovered"),
    onEnded: say("ended"),
    onRefused: say("refused"),
    onBounded: say("bounded"),
    said,
  };
}

const isCode = (code: string) => (error: unknown) =>
  error instanceof EvidenceStoreError && error.code === code;
const members = { kind: "members", namespace: "shop", selector: new Map(), sinceMs: 0 } as const;

async function seenBy(store: EvidenceStore) {
  const keys = (await store.ask(members)).map(({ key }) => key);
  const asked = { kind: "seen", ports: undefined, sinceMs: 0, isRefusedOnly: false } as const;
  return await store.ask({ ...asked, members: keys });
}

/** Beyond its header and its schema: it can be opened. */
async function damaged(dataDir: string, isGone: boolean): Promise<void> {
  {
    await using store = (await EvidenceStore.open(options(dataDir))).store;
    for (let at = 0; at < 2_000; at++) {
      store.note(memberOf(`proxy-${at}`));
      // Who is gone is not read at a start.
      if (isGone) store.note({ kind: "gone", proxy: `proxy-${at}`, atMs: now });
    }
  }
  const path = evidencePath(dataDir);
  const file = openSync(path, "r+");
  const octets = Buffer.alloc(statSync(path).size - 98_304, 0xa5);
  writeSync(file, octets, 0, octets.length, 98_304);
  closeSync(file);
}

describe("the store of evidence", () => {
  it("writes all that waits before it ends, in however many transactions", async () => {
    using directory = temporaryDirectory();
    const count = 40_000;
    {
      await using store = (await EvidenceStore.open(options(directory.path))).store;
      for (let at = 0; at < count; at++) {
        const held = { address: `10.0.${at >> 8}.${at & 255}`, workload: `shop/p${at}` };
        store.note({ kind: "held", ...held, isMeshed: true, atMs: now });
      }
    }
    const { store, left } = await EvidenceStore.open(options(directory.path));
    await store[Symbol.asyncDispose]();
    assert.equal(left.addresses.length, count);
  });

  it("answers what it was told, and knows it after a restart", async () => {
    using directory = temporaryDirectory();
    {
      await using opened = (await EvidenceStore.open(options(directory.path))).store;
      opened.note(memberOf("p"));
      const held = { address: "10.0.0.1", workload: "shop/p", isMeshed: true, atMs: now };
      opened.note({ kind: "held", ...held });
      const coverage = [coverageOf(now, now + 10, { openMeshed: 7 })];
      const report = reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)], coverage });
      assert.deepEqual(await opened.report(report), { isRepeated: false, unproven: [] });
      assert.deepEqual(await opened.report(report), { isRepeated: true, unproven: [] });
      assert.equal((await seenBy(opened)).length, 1);
      const summary = await opened.ask({
        kind: "summary",
        namespace: undefined,
        sinceMs: now,
      });
      const called = { mtls: 0, openMeshed: 7, others: 1, refused: 0, otherSources: 1 };
      assert.deepEqual(summary, [{ proxy: "p", port: 8080, ...called }]);
      const holders = { kind: "holders", addresses: ["10.0.0.1"], sinceMs: now } as const;
      assert.deepEqual(await opened.ask(holders), [
        { address: "10.0.0.1", name: "shop/p", isMeshed: true, sinceMs: now, untilMs: undefined },
      ]);
    }
    const { store, left } = await EvidenceStore.open(options(directory.path));
    await using _ = store;
    assert.deepEqual(
      [left.createdMs, left.knownMs, left.aside, left.addresses.length],
      [now, now, undefined, 1],
    );
    assert.deepEqual(
      left.members.map(({ proxy, reporter, labels }) => [proxy, reporter, [...labels]]),
      [["p", "agent", [["app", "web"]]]],
    );
    assert.equal((await seenBy(store)).length, 1);
  });

  it("writes what waits when it is closed, and takes nothing afterwards", async () => {
    using directory = temporaryDirectory();
    const { store } = await EvidenceStore.open(options(directory.path));
    store.note(memberOf("p"));
    const report = store.report(reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }));
    await store[Symbol.asyncDispose]();
    assert.deepEqual(await report, { isRepeated: false, unproven: [] });
    await assert.rejects(
      store.report(reportOf({ proxy: "p", sequence: 2 })),
      isCode("evidence-ended"),
    );
    await assert.rejects(store.ask(members), isCode("evidence-ended"));
  });

  it("refuses a change that no file could take, and writes all others", async () => {
    using directory = temporaryDirectory();
    const chosen = options(directory.path);
    await using store = (await EvidenceStore.open(chosen)).store;
    const refused = once(chosen.said, "refused");
    store.note(memberOf("p"));
    const bad = reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now, { count: Number.NaN })] });
    const good = reportOf({ proxy: "p", sequence: 1, reporter: "b", seen: [seenOf(now)] });
    const outcomes = await Promise.allSettled([store.report(bad), store.report(good)]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
    await refused;
  });

  it("has room for so many rows that wait, and for so many of an identity", async () => {
    using directory = temporaryDirectory();
    await using store = (await EvidenceStore.open(options(directory.path))).store;
    store.note(memberOf("p"));
    const seen = Array.from({ length: 8_000 }, () => seenOf(now));
    const tell = (reporter: string) =>
      store.report(reportOf({ proxy: "p", reporter, sequence: 1, seen }));
    const identities = ["a", "b", "c", "d", "e"];
    const reports = identities.flatMap((identity) =>
      Array.from({ length: 9 }, (_, at) => tell(`${identity} ${at}`)),
    );
    const outcomes = await Promise.allSettled(reports);
    const refused = outcomes.flatMap(({ status }, at) => (status === "rejected" ? [at] : []));
    assert.deepEqual(refused, [8, 17, 26, 35, ...Array.from({ length: 9 }, (_, at) => 36 + at)]);
    assert.ok(
      outcomes.every((each) => each.status === "fulfilled" || isCode("evidence-full")(each.reason)),
    );
    assert.equal((await seenBy(store))[0]?.count, 32 * 8_000);
    await Promise.all([tell("a 8"), tell("e 0")]);
  });

  it("ends where more proxies wait to be written than there can be, and acknowledges nothing then", async () => {
    using directory = temporaryDirectory();
    const chosen = options(directory.path);
    await using store = (await EvidenceStore.open(chosen)).store;
    const report = store.report(reportOf({ proxy: "p", sequence: 1 }));
    const isRefused = assert.rejects(report, isCode("evidence-ended"));
    const ended = once(chosen.said, "ended");
    for (let at = 0; at < 140_000; at++) store.note({ kind: "gone", proxy: `${at}`, atMs: now });
    await Promise.all([ended, isRefused]);
    assert.equal(store.failure?.code, "evidence-ended");
    await assert.rejects(store.ask(members), isCode("evidence-ended"));
  });

  it("says of whom it does not keep all", async () => {
    using directory = temporaryDirectory();
    const chosen = options(directory.path);
    await using store = (await EvidenceStore.open(chosen)).store;
    const bounded = once(chosen.said, "bounded");
    for (let at = 0; at < 16_400; at++) {
      store.note(memberOf(`${at}`));
      store.note({ kind: "gone", proxy: `${at}`, atMs: now });
    }
    await bounded;
  });

  it("sets a file aside that is damaged where it is read at a start", async () => {
    using directory = temporaryDirectory();
    await damaged(directory.path, false);
    const { store, left } = await EvidenceStore.open(options(directory.path));
    await using _ = store;
    assert.match(left.aside?.reason ?? "", /malformed/);
    assert.deepEqual(left.members, []);
  });

  it("ends where its file is damaged elsewhere, which is set aside for the next start", async () => {
    using directory = temporaryDirectory();
    await damaged(directory.path, true);
    const chosen = options(directory.path);
    const { store, left } = await EvidenceStore.open(chosen);
    assert.equal(left.aside, undefined);
    const ended = once(chosen.said, "ended");
    await assert.rejects(store.ask(members), isCode("evidence-ended"));
    await ended;
    assert.equal(store.failure?.code, "evidence-ended");
    const report = reportOf({ proxy: "p", sequence: 1 });
    await assert.rejects(store.report(report), isCode("evidence-ended"));
    await store[Symbol.asyncDispose]();
    assert.ok(readdirSync(directory.path).some((name) => name.startsWith("evidence.db.aside-")));
    const again = await EvidenceStore.open(options(directory.path));
    await using _ = again.store;
    assert.deepEqual([again.left.aside, again.left.members], [undefined, []]);
  });

  it("forgets what is past each hour", async (context) => {
    context.mock.timers.enable({ apis: ["setInterval"] });
    using directory = temporaryDirectory();
    let time = now;
    const chosen = { ...options(directory.path), nowMs: () => time };
    await using store = (await EvidenceStore.open(chosen)).store;
    store.note(memberOf("p"));
    await store.report(reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }));
    time += 8 * 24 * HOUR_MS;
    context.mock.timers.tick(HOUR_MS);
    // In turn with the pieces of it.
    for (let piece = 0; piece < 10; piece++) await store.ask(members);
    assert.deepEqual(await seenBy(store), []);
  });
});

describe("a full disk", withSmallDisk, () => {
  it("keeps reports waiting, unacknowledged, and they are written when there is room", async () => {
    using disk = smallDisk();
    const chosen = options(disk.path);
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await using store = (await EvidenceStore.open(chosen)).store;
      store.note(memberOf("p"));
      disk.fill();
      const failed = once(chosen.said, "failed");
      const many = Array.from({ length: 4_000 }, (_, at) => {
        const spiffeId = `spiffe://mesh.test/ns/shop/sa/${"x".repeat(200)}-${at}`;
        return seenOf(now, { kind: "mtls", source: { kind: "identity", spiffeId } });
      });
      const report = store.report(reportOf({ proxy: "p", sequence: 1, seen: many }));
      mock.timers.tick(50);
      await failed;
      assert.equal(store.failure?.code, "evidence-unwritable");
      assert.equal(store.waitingSinceMs, now);
      disk.empty();
      const recovered = once(chosen.said, "recovered");
      await new Promise((resolve) => void setImmediate(resolve));
      mock.timers.tick(5_000);
      await recovered;
      assert.deepEqual(await report, { isRepeated: false, unproven: [] });
      assert.equal((await seenBy(store)).length, 4_000);
      assert.equal(store.failure, undefined);
    } finally {
      mock.timers.reset();
    }
  });
});
