import assert from "node:assert/strict";
import { test } from "node:test";
import { seenOf } from "../../../../test/support/evidence.ts";
import { ToldEnvoy } from "../../../../test/support/told-envoy.ts";
import type { PolicyProxyName } from "../policy/policy-feed.ts";
import { ConnectionFeed } from "./connection-feed.ts";
import type { CountedConnections } from "./connection-recorder.ts";

class Rig {
  nowMs = 1_000_000_000;
  news = 0;
  readonly feed: ConnectionFeed = new ConnectionFeed({
    nowMs: () => this.nowMs,
    resumed: () => undefined,
  });

  constructor() {
    this.feed.onNew = () => (this.news += 1);
  }

  envoy(name: PolicyProxyName): ToldEnvoy {
    const open = () => ({ log: this.feed.log(name), flushes: this.feed.observe(name) });
    return new ToldEnvoy({ open, nowMs: this.nowMs });
  }

  /** A second passes. */
  flush(...envoys: readonly ToldEnvoy[]): void {
    this.nowMs += 1_000;
    for (const envoy of envoys) envoy.flush();
  }
}

const name = (proxyId: string, spiffeId?: string): PolicyProxyName => ({ proxyId, spiffeId });

test("tells of each Envoy by its name", () => {
  const rig = new Rig();
  const [a, b] = [rig.envoy(name("a")), rig.envoy(name("b", "spiffe://td/ns/a/sa/b"))];
  rig.flush(a, b);
  a.call("10.0.0.1");
  assert.ok(rig.feed.hasNew && rig.news > 0);
  b.call("10.0.0.2");
  rig.flush(a, b);
  const told = rig.feed.take();
  assert.ok(!rig.feed.hasNew);
  assert.deepEqual(told.map(namesOf), [
    ["a", undefined, "10.0.0.1"],
    ["b", "spiffe://td/ns/a/sa/b", "10.0.0.2"],
  ]);
});

test("keeps what one said last that is gone, until it is taken", () => {
  const rig = new Rig();
  const envoy = rig.envoy(name("a"));
  rig.flush(envoy);
  envoy.call("10.0.0.1");
  rig.flush(envoy);
  envoy.close();
  rig.nowMs += 5_000;
  const told = rig.feed.take();
  assert.deepEqual(told.map(namesOf), [["a", undefined, "10.0.0.1"]]);
  assert.deepEqual(rig.feed.take(), []);
  rig.feed.putBack(told);
  assert.deepEqual(rig.feed.take(), told, "it could not be kept by the server");
  rig.nowMs += 3_600_001;
  rig.feed.putBack(told);
  assert.deepEqual(rig.feed.take(), [], "nobody will ever speak for it");
});

test("tells of one that is gone either all again or nothing: callers go with what covers their time", () => {
  const rig = new Rig();
  const envoy = rig.envoy(name("a"));
  rig.flush(envoy);
  envoy.call("10.0.0.1");
  for (let at = 0; at < 20; at++) rig.flush(envoy);
  envoy.close();
  rig.nowMs += 5_000;
  const [told] = rig.feed.take();
  assert.ok(told !== undefined);
  const pieces = [
    { ...told, coverage: [] },
    { ...told, seen: [] },
  ];
  rig.nowMs += 3_600_000 - 5_000 - 10_000;
  rig.feed.putBack(pieces);
  assert.deepEqual(rig.feed.take(), pieces);
  rig.nowMs += 20_000;
  rig.feed.putBack(pieces);
  assert.deepEqual(rig.feed.take(), []);
});

test("goes on with one that comes back at once", () => {
  const rig = new Rig();
  const envoy = rig.envoy(name("a"));
  for (let at = 0; at < 4; at++) rig.flush(envoy);
  envoy.reconnect();
  for (let at = 0; at < 4; at++) rig.flush(envoy);
  const told = rig.feed.take();
  assert.equal(told.length, 0, "nothing was seen, and no port was told of");
  envoy.call("10.0.0.1");
  for (let at = 0; at < 4; at++) rig.flush(envoy);
  assert.equal(rig.feed.take().length, 1);
});

test("puts back what is of one that is here to what it has seen since", () => {
  const rig = new Rig();
  const envoy = rig.envoy(name("a"));
  rig.flush(envoy);
  envoy.call("10.0.0.1");
  rig.flush(envoy);
  rig.feed.putBack(rig.feed.take());
  assert.ok(!rig.feed.hasNew, "it is known");
  envoy.call("10.0.0.1");
  rig.flush(envoy);
  assert.equal(rig.feed.take()[0]?.seen[0]?.count, 2);
});

test("keeps of those that are gone no more than there is room for, the newest", () => {
  const rig = new Rig();
  for (let at = 0; at < 30; at++) {
    const envoy = rig.envoy(name(`gone-${at}`));
    rig.flush(envoy);
    for (let call = 0; call < 4_000; call++) {
      envoy.call(`10.${call >> 8}.0.${call & 255}`, 80 + (call & 3));
    }
    rig.flush(envoy);
    envoy.close();
    rig.nowMs += 5_000;
  }
  const told = drained(rig.feed);
  const rows = told.reduce((sum, { seen }) => sum + seen.length, 0);
  assert.ok(rows > 60_000 && rows <= 65_536, `${rows} rows`);
  assert.equal(told.at(-1)?.proxyId, "gone-29");
});

test("drops of one that is gone no callers without what it covers, in any of its lives", () => {
  const rig = new Rig();
  const two = rig.envoy(name("two-lives"));
  for (let at = 0; at < 5; at++) rig.flush(two);
  two.call("10.0.0.1");
  for (let at = 0; at < 5; at++) rig.flush(two);
  two.restart();
  rig.nowMs = two.nowMs;
  for (let at = 0; at < 4_096; at++) two.call(`10.1.${at >> 8}.${at & 255}`, 80 + (at & 3));
  for (let at = 0; at < 5; at++) rig.flush(two);
  two.close();
  rig.nowMs += 5_000;
  const lives = rig.feed.take();
  assert.equal(lives.length, 2);
  rig.feed.putBack(lives);
  const [callers] = lives;
  assert.ok(callers !== undefined);
  const { seen } = callers;
  for (let at = 0; at < 15; at++) {
    rig.feed.putBack([{ ...name(`gone-${at}`), epochMs: 1, seen, coverage: [] }]);
  }
  const told = drained(rig.feed);
  assert.ok(told.some(({ proxyId }) => proxyId === "gone-14"));
  assert.ok(!told.some(({ proxyId }) => proxyId === "two-lives"));
});

test("drops of those that are gone what the identity with most of it said", () => {
  const rig = new Rig();
  const seen = Array.from({ length: 4_000 }, () => seenOf(1));
  const gone = (proxyId: string): void => {
    const named = name(proxyId, `spiffe://td.test/ns/a/sa/${proxyId.split("-")[0]}`);
    rig.feed.putBack([{ ...named, epochMs: 1, seen, coverage: [] }]);
  };
  rig.nowMs = 1_000;
  gone("good-0");
  for (let at = 0; at < 40; at++) gone(`evil-${at}`);
  const told = new Set(drained(rig.feed).map(({ proxyId }) => proxyId));
  assert.ok(told.has("good-0") && told.has("evil-39") && !told.has("evil-0"));
});

/** In as many rounds as it takes. */
function drained(feed: ConnectionFeed): CountedConnections[] {
  const rounds: CountedConnections[][] = [];
  do rounds.push(feed.take());
  while (feed.hasNew);
  return rounds.flat();
}

function namesOf({ proxyId, spiffeId, seen }: CountedConnections): unknown[] {
  const [source] = seen.map((each) => each.source);
  return [proxyId, spiffeId, source?.kind === "address" ? source.address : undefined];
}
