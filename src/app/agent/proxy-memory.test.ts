import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { ProxyEvidence, SubscriptionEvidence } from "../../core/roll/evidence.ts";
import { proxyKey } from "../../core/roll/evidence.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { Evidence } from "./mesh-report.ts";
import { ProxyMemory } from "./proxy-memory.ts";

let nowMs: number;
let unreadable: number;
let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  [nowMs, unreadable] = [1_000_000, 0];
  directory = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(async (memory) => memory.settled()));
  directory[Symbol.dispose]();
});

const opened: ProxyMemory[] = [];

async function open(): Promise<ProxyMemory> {
  const events = { stateUnreadable: () => unreadable++ } as unknown as AgentEvents;
  const options = { stateDir: directory.path, events, nowMs: () => nowMs };
  const memory = await ProxyMemory.open(options);
  opened.push(memory);
  return memory;
}

const leaf = (serialHex: string, lifeMs = 3_600_000) => ({ serialHex, notAfterMs: nowMs + lifeMs });
const bundle = (streamId: bigint, resourceName = "ROOTCA"): SubscriptionEvidence => {
  const acked = { atMs: nowMs, bundleSequence: 1n, rootsDigest: "ab".repeat(32) };
  return { streamId, resourceName, acked };
};
const taken = (streamId: bigint, serialHex: string): SubscriptionEvidence => {
  const acked = { atMs: nowMs, bundleSequence: 0n, certificate: leaf(serialHex) };
  return { streamId, resourceName: "default", acked };
};
const proxy = (
  subscriptions: readonly SubscriptionEvidence[],
  proxyId = "p",
  spiffeId?: string,
): ProxyEvidence => ({ proxyId, ...(spiffeId !== undefined && { spiffeId }), subscriptions });
const here = (...all: readonly ProxyEvidence[]): Evidence =>
  new Map(all.map((each) => [proxyKey(each), each]));
const nobody: Evidence = new Map();

/** By name, with what is proved. */
function textOf(remembered: Evidence, key = "p"): string[] | undefined {
  return remembered
    .get(key)
    ?.subscriptions.map(({ resourceName, acked }) =>
      [resourceName, acked?.certificate?.serialHex ?? acked?.rootsDigest?.slice(0, 2)]
        .filter(Boolean)
        .join(" "),
    )
    .toSorted();
}

test("one that has taken a certificate is remembered as it was until that has expired", async () => {
  const memory = await open();
  memory.sent({ proxyId: "p" }, leaf("01"));
  assert.equal(memory.look(here(proxy([taken(1n, "01"), bundle(2n)]))).size, 0);
  assert.deepEqual(textOf(memory.look(nobody)), ["ROOTCA ab", "default 01"]);
  nowMs += 3_599_999;
  assert.deepEqual(textOf(memory.look(nobody)), ["ROOTCA ab", "default 01"]);
  nowMs += 1;
  assert.equal(memory.look(nobody).size, 0);
});

test("one that was sent a newer certificate may have taken it", async () => {
  const memory = await open();
  memory.sent({ proxyId: "p" }, leaf("01"));
  memory.look(here(proxy([taken(1n, "01"), bundle(2n)])));
  nowMs += 1_000_000;
  memory.sent({ proxyId: "p" }, leaf("02"));
  assert.deepEqual(textOf(memory.look(nobody)), ["ROOTCA ab", "default 01", "default 02"]);
  nowMs += 3_000_000;
  assert.equal(memory.look(nobody).size, 1);
});

test("one without a certificate is not remembered when it is away", async () => {
  const memory = await open();
  memory.look(here(proxy([bundle(1n)])));
  assert.equal(memory.look(nobody).size, 0);
});

test("one that is here is remembered with what a stream had that is down, for a minute", async () => {
  const memory = await open();
  memory.look(here(proxy([bundle(1n), bundle(2n, "ALL")])));
  assert.deepEqual(textOf(memory.look(here(proxy([bundle(1n)])))), ["ALL ab", "ROOTCA ab"]);
  nowMs += 59_999;
  assert.equal(memory.look(here(proxy([bundle(1n)]))).size, 1);
  nowMs += 1;
  assert.equal(memory.look(here(proxy([bundle(1n)]))).size, 0);
});

test("a stream that is back takes the place of one that was down", async () => {
  const memory = await open();
  memory.look(here(proxy([bundle(1n), bundle(2n, "ALL")])));
  memory.look(here(proxy([bundle(1n)])));
  assert.equal(memory.look(here(proxy([bundle(1n), bundle(3n, "ALL")]))).size, 0);
});

test("another life remembers who has not come back, and what they proved then counts no more", async () => {
  const first = await open();
  first.sent({ proxyId: "p" }, leaf("01"));
  first.sent({ proxyId: "q", spiffeId: "spiffe://td/a" }, leaf("02", 1_000));
  first.look(here(proxy([taken(1n, "01"), bundle(2n), bundle(3n, "ALL")])));
  await first.settled();
  assert.equal(statSync(join(directory.path, "proxies.json")).mode & 0o777, 0o600);
  const second = await open();
  const remembered = second.look(nobody);
  assert.deepEqual(textOf(remembered), ["ALL", "ROOTCA", "default 01"]);
  assert.deepEqual(textOf(remembered, "spiffe://td/a q"), ["default 02"]);
  nowMs += 1_000;
  // Its other stream is not back yet.
  const back = second.look(here(proxy([taken(1n, "01"), bundle(2n)])));
  assert.deepEqual([...back.keys()], ["p"]);
  assert.deepEqual(textOf(back), ["ALL", "ROOTCA ab", "default 01"]);
});

test("a certificate that ends sooner does not shorten what is remembered", async () => {
  const memory = await open();
  memory.sent({ proxyId: "p" }, leaf("01"));
  memory.sent({ proxyId: "p" }, leaf("02", 1_000));
  nowMs += 2_000;
  assert.deepEqual(textOf(memory.look(nobody)), ["default 01"]);
});

test("sixty-four of one identity are remembered, and never more than the server takes", async () => {
  const memory = await open();
  const many = (count: number) => Array.from({ length: count }, (_, at) => `p${at}`);
  for (const [at, proxyId] of many(100).entries()) {
    memory.sent({ proxyId }, leaf("01", 10_000 + at));
    memory.sent({ proxyId, spiffeId: "spiffe://td/a" }, leaf("01"));
  }
  const weak = many(200).map((id) => ({ ...proxy([], `workload-api-${id}`), weak: true as const }));
  const remembered = memory.look(here(...weak));
  const own = [...remembered.values()].filter(({ spiffeId }) => spiffeId === undefined);
  assert.deepEqual([own.length, remembered.size], [56, 56 + 64]);
  assert(own.some(({ proxyId }) => proxyId === "p99"));
});

test("a file that is none is reported, and nobody is remembered", async () => {
  for (const text of ["", "{}", '{"version":2}', '{"version":1,"proxies":[{"proxyId":1}]}']) {
    writeFileSync(join(directory.path, "proxies.json"), text, { mode: 0o600 });
    assert.equal((await open()).look(nobody).size, 0);
  }
  assert.equal(unreadable, 4);
});

test("nothing is left of it at the workload's end", async () => {
  const memory = await open();
  memory.sent({ proxyId: "p" }, leaf("01"));
  await memory.destroy();
  memory.sent({ proxyId: "q" }, leaf("01"));
  await memory.settled();
  assert.throws(() => statSync(join(directory.path, "proxies.json")), { code: "ENOENT" });
});

test("what one verifies with on a stream that was down is remembered over the agent's own end", async () => {
  const memory = await open();
  memory.sent({ proxyId: "p" }, leaf("01"));
  memory.look(here(proxy([taken(1n, "01"), bundle(2n), bundle(3n, "ALL")])));
  memory.look(here(proxy([taken(1n, "01"), bundle(2n)])));
  memory.sent({ proxyId: "p" }, leaf("02", 7_200_000));
  await memory.settled();
  const again = await open();
  assert.deepEqual(textOf(again.look(nobody)), ["ALL", "ROOTCA", "default 02"]);
});
