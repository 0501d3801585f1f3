import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionRecorder, type CountedConnections } from "./connection-recorder.ts";
import { TestEnvoy, ToldEnvoy } from "../../../../test/support/told-envoy.ts";

test("tells nothing before the first flush, and then all that came before it", () => {
  const envoy = new TestEnvoy();
  envoy.call("10.0.0.1");
  assert.deepEqual(envoy.recorder.take(), []);
  assert.equal(envoy.news, 0);
  envoy.flush();
  assert.equal(envoy.news, 1);
  assert.deepEqual(callsOf(envoy.recorder.take()), { "10.0.0.1": 1 });
});

test("covers the time from a flush on, without a hole, and counts what is lost", () => {
  const envoy = new TestEnvoy();
  envoy.call("10.0.0.1");
  envoy.flushes(6);
  const first = envoy.recorder.take();
  envoy.lose(2);
  envoy.flushes(6);
  const second = envoy.recorder.take();
  const spans = [...first, ...second].flatMap(({ coverage }) => coverage);
  assert.equal(spans[1]?.sinceMs, spans[0]?.untilMs);
  assert.equal(
    spans.reduce((sum, { lostUnmeshed }) => sum + lostUnmeshed, 0),
    2,
  );
});

test("covers the ports that Envoy has acknowledged, and none from when it listens there no more", () => {
  const envoy = new TestEnvoy();
  envoy.recorder.listens(new Set([80, 90]));
  envoy.flushes(4);
  const ports = (all: readonly CountedConnections[]): number[] =>
    all.flatMap(({ coverage }) => coverage.map(({ port }) => port)).toSorted((a, b) => a - b);
  assert.deepEqual(ports(envoy.recorder.take()), [80, 90]);
  envoy.flushes(2);
  envoy.recorder.listens(new Set([80]));
  assert.deepEqual(ports(envoy.recorder.take()), [80, 90], "until then");
  envoy.flushes(2);
  assert.deepEqual(ports(envoy.recorder.take()), [80]);
});

test("tells of each life of an Envoy for itself, also of what the next one says before its first flush", () => {
  const envoy = new TestEnvoy();
  envoy.flushes(3);
  envoy.call("10.0.0.1");
  envoy.flush();
  const { epochMs } = envoy;
  envoy.restart();
  envoy.call("10.0.0.2");
  const before = envoy.recorder.take();
  assert.deepEqual(callsOf(before), { "10.0.0.1": 1 }, "the other may be of either");
  envoy.flushes(6);
  const after = envoy.recorder.take();
  assert.deepEqual(callsOf(after), { "10.0.0.2": 1 });
  assert.deepEqual(new Set(before.map((each) => each.epochMs)), new Set([epochMs]));
  assert.ok(after.some((each) => each.epochMs === envoy.epochMs));
  const spans = [...before, ...after].flatMap(({ coverage }) => coverage);
  assert.ok(spans.every(({ lostUnmeshed }) => lostUnmeshed === 0));
});

test("knows an Envoy that ends within its first second from the next one, which leaves no connection open", () => {
  const envoy = new TestEnvoy();
  envoy.call("10.0.0.9");
  envoy.flush();
  envoy.begin("10.0.0.1");
  envoy.recorder.take();
  envoy.restart();
  envoy.call("10.0.0.9");
  envoy.flushes(8);
  const first = envoy.recorder.take();
  assert.ok(first.some((each) => each.epochMs === envoy.epochMs));
  envoy.flushes(8);
  const later = envoy.recorder.take().flatMap(({ seen }) => seen);
  assert.deepEqual(later, []);
});

test("knows a young Envoy again whose counters' stream alone has broken", () => {
  const envoy = new TestEnvoy();
  envoy.recorder.listens(new Set([80]));
  envoy.flush();
  envoy.begin("10.0.0.1");
  envoy.recorder.take();
  envoy.reopenCounters();
  envoy.flushes(8);
  const later = envoy.recorder.take().flatMap(({ seen }) => seen);
  assert.deepEqual(
    later.map(({ source, count }) => [source, count]),
    [[{ kind: "address", address: "10.0.0.1" }, 0]],
    "it is open, and counts no more",
  );
});

test("tells all that was seen before it covers any life", () => {
  const envoy = new TestEnvoy();
  envoy.flushes(5);
  envoy.call("10.0.0.1");
  envoy.flushes(5);
  const { epochMs } = envoy;
  envoy.restart();
  envoy.flushes(5);
  envoy.call("10.0.0.2");
  envoy.flushes(5);
  const told = envoy.recorder.take();
  const lives = told.map((each) => [each.epochMs, each.seen.length, each.coverage.length]);
  assert.deepEqual(lives, [
    [epochMs, 2, 1],
    [envoy.epochMs, 0, 1],
  ]);
});

test("takes what cannot be in its entries for lost", () => {
  const envoy = new TestEnvoy();
  envoy.flushes(5);
  envoy.recorder.take();
  envoy.call("10.0.0.1", 80, 253_402_300_800_000);
  envoy.flushes(5);
  const told = envoy.recorder.take();
  assert.deepEqual(callsOf(told), {});
  const [lost] = told.flatMap(({ coverage }) => coverage.map((each) => each.lostUnmeshed));
  assert.equal(lost, 1);
});

test("goes on with an Envoy whose streams have ended and come back", () => {
  const envoy = new TestEnvoy();
  envoy.flushes(3);
  envoy.reconnect();
  envoy.call("10.0.0.1");
  envoy.flushes(3);
  const told = envoy.recorder.take();
  assert.equal(told.length, 1);
  assert.deepEqual(callsOf(told), { "10.0.0.1": 1 });
  assert.deepEqual(told[0]?.coverage.length, 1);
  assert.equal(told[0]?.coverage[0]?.lostUnmeshed, 0);
});

test("tells again what is put back, with what came since", () => {
  const envoy = new TestEnvoy();
  envoy.flushes(3);
  envoy.call("10.0.0.1");
  envoy.flushes(2);
  const taken = envoy.recorder.take();
  for (const each of taken) envoy.recorder.putBack(each);
  envoy.call("10.0.0.1");
  envoy.flushes(2);
  const again = envoy.recorder.take();
  assert.deepEqual(callsOf(again), { "10.0.0.1": 2 });
  assert.equal(again[0]?.coverage[0]?.sinceMs, taken[0]?.coverage[0]?.sinceMs);
});

test("covers nothing that the host's clock has passed over, and all that it goes through again", () => {
  let monotonicMs = 0;
  let envoy: ToldEnvoy | undefined;
  const recorder = new ConnectionRecorder({
    name: { proxyId: "web-0", spiffeId: undefined },
    nowMs: () => envoy?.nowMs ?? 0,
    monotonicMs: () => monotonicMs,
    onNew: () => {},
    onOver: () => {},
    goOn: (life) => life,
  });
  const open = () => ({ log: recorder.log(), flushes: recorder.flushes() });
  envoy = new ToldEnvoy({ open, nowMs: 1_000_000_000 });
  const flushes = (count: number): void => {
    for (let at = 0; at < count; at++) {
      monotonicMs += 1_000;
      envoy.flush();
    }
  };
  envoy.call("10.0.0.1");
  flushes(6);
  envoy.nowMs += 60_000;
  flushes(6);
  const spans = recorder.take().flatMap(({ coverage }) => coverage);
  const times = spans.map(({ sinceMs, untilMs }) => [sinceMs, untilMs].map((ms) => ms - 1e9));
  assert.deepEqual(times, [
    [1_000, 6_000],
    [67_000, 72_000],
  ]);
  // Envoy's age goes back with it.
  envoy.nowMs -= 30_000;
  flushes(6);
  const [again] = recorder.take();
  const later = again?.coverage.map(({ sinceMs, untilMs }) => [sinceMs, untilMs]);
  assert.deepEqual(later, [[1e9 + 43_000, 1e9 + 48_000]]);
  assert.equal(again?.epochMs, 1e9);
});

test("counts no more ports than a policy has: what is told of others is lost", () => {
  const envoy = new TestEnvoy();
  for (let port = 1; port <= 600; port++) envoy.call("10.0.0.1", port);
  envoy.flush();
  const told = envoy.recorder.take().flatMap(({ seen }) => seen);
  assert.equal(told.length, 512);
});

function callsOf(all: readonly CountedConnections[]): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const { source, count } of all.flatMap(({ seen }) => seen)) {
    const from = source.kind === "address" ? source.address : source.kind;
    calls[from] = (calls[from] ?? 0) + count;
  }
  return calls;
}
