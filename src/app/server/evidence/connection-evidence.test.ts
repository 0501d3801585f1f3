import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import {
  coverageOf,
  HOUR_MS,
  memberOf,
  reportOf,
  seenOf,
} from "../../../../test/support/evidence.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import { EvidenceStore } from "../../../edge/evidence/evidence-store.ts";
import { PolicyControl } from "../policy/policy-control.ts";
import { ConnectionEvidence } from "./connection-evidence.ts";

const trustDomain = "mesh.test";
const now = 1_795_521_600_000;
const none = (): void => {};
const webId = `spiffe://${trustDomain}/ns/shop/sa/web`;
const owner: LeafOwner = {
  identity: webId,
  isRest: false,
  agent: "a",
  serialHex: "01",
  notAfterMs: 9e12,
  lastIndex: 0,
  signedIndex: 0,
};
const app = (name: string) => new Map([["app", name]]);
const entries = [
  workloadOf("shop/web-0", { serviceAccount: "web", labels: app("web") }),
  workloadOf("shop/web-1", { serviceAccount: "web", labels: app("web") }),
  workloadOf("shop/db-0", { serviceAccount: "web", labels: app("db") }),
];

/** A server that has just started: of the owner's proxies nobody has heard yet. */
async function rig(t: TestContext) {
  const directory = temporaryDirectory();
  const watch = { onFailed: none, onRecovered: none, onEnded: none, onRefused: none };
  const times = { retentionMs: () => 7 * 24 * HOUR_MS, nowMs: () => now };
  const { store, left } = await EvidenceStore.open({ dataDir: directory.path, ...times, ...watch });
  t.mock.timers.enable({ apis: ["setInterval"] });
  const control = new PolicyControl({
    trustDomain,
    events: { policyRefused: none, policyTooLarge: none, policyDropped: none },
    owners: () => ({ isBuilt: true, all: () => [owner] }),
    nodeAgents: () => new Set<string>(),
    newestNotAfterMs: () => 9e12,
    provenNowMs: () => now,
    nowMs: () => now,
  });
  control.change(
    entries.map((object) => ({ kind: "WorkloadEntry" as const, object })),
    [],
  );
  t.after(async () => {
    control[Symbol.dispose]();
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  const entryOf = (namespace: string, name: string) =>
    entries.find(({ ref }) => ref.namespace === namespace && ref.name === name);
  const entriesIn = (namespace: string) => entries.filter(({ ref }) => ref.namespace === namespace);
  const { createdMs } = left;
  const parts = { store, createdMs, control, entryOf, entriesIn, trustDomain };
  const evidence = new ConnectionEvidence(parts);
  return { store, evidence };
}

describe("members", () => {
  it("are those that were there, and those that may be there and were never heard", async (t) => {
    const { store, evidence } = await rig(t);
    const named = { spiffeId: webId, name: "web-0" };
    store.note(memberOf("p", { ...named, atMs: now - 60_000 }));
    await store.report(reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }));
    const members = await evidence.membersOf("shop", app("web"), now - HOUR_MS);
    assert.deepEqual(
      members.map(({ name, key, bornMs }) => [name, key.split(" ")[0], bornMs]),
      [
        ["shop/web-0", "1", now - 60_000],
        ["shop/web-1", "unheard", now],
      ],
    );
    const keys = members.map(({ key }) => key);
    assert.equal((await evidence.seen(keys, undefined, 0)).length, 1);
    assert.deepEqual(await evidence.spans(keys, 0), []);
    assert.deepEqual(await evidence.membersOf("other", new Map(), 0), []);
    assert.equal((await evidence.membersOf("shop", new Map(), 0)).length, 3);
  });
});

describe("who was refused", () => {
  it("is told apart from who was seen, with when that began", async (t) => {
    const { store, evidence } = await rig(t);
    store.note(memberOf("p"));
    const refused = seenOf(now - 2 * HOUR_MS, { isRefused: true });
    const coverage = [coverageOf(now - 10, now)];
    const first = reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now), refused], coverage });
    const again = seenOf(now, { isRefused: true, count: 5 });
    const other = seenOf(now, { isRefused: true, port: 9_090 });
    await store.report(first);
    await store.report(reportOf({ proxy: "p", sequence: 2, seen: [again, other] }));
    const [member] = await evidence.membersOf("shop", app("web"), 0);
    const found = await evidence.refusedSince([member?.key ?? ""], [8_080], now - HOUR_MS);
    assert.deepEqual(
      found.map(({ count, firstMs, everFirstMs }) => [count, firstMs, everFirstMs]),
      [[5, now, now - 2 * HOUR_MS]],
    );
  });
});

it("nothing is known where the file is gone, and that is no empty answer", async (t) => {
  const { store, evidence } = await rig(t);
  await store[Symbol.asyncDispose]();
  const isEnded = (error: unknown) =>
    error instanceof EvidenceStoreError && error.code === "evidence-ended";
  await assert.rejects(evidence.membersOf("shop", new Map(), 0), isEnded);
  await assert.rejects(evidence.summary(0), isEnded);
});
