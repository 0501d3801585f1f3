/** A workload says of Envoys that it makes up whatever it likes: neither the agent's memory nor what others say pays for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ToldEnvoy } from "../../../../test/support/told-envoy.ts";
import { emptyEntry } from "./access-log-entry.ts";
import { ConnectionFeed } from "./connection-feed.ts";

const idOf = (sa: string): string => `spiffe://td.test/ns/a/sa/${sa}`;

test("tells of each identity's Envoys in each round, however many callers another one makes up", () => {
  let nowMs = 1_000_000_000;
  const feed = new ConnectionFeed({ nowMs: () => nowMs, resumed: () => undefined });
  const envoy = (proxyId: string, sa: string): ToldEnvoy => {
    const name = { proxyId, spiffeId: idOf(sa) };
    return new ToldEnvoy({
      open: () => ({ log: feed.log(name), flushes: feed.observe(name) }),
      nowMs,
    });
  };
  const evils = Array.from({ length: 8 }, (_, at) => envoy(`evil-${at}`, "evil"));
  const good = envoy("good", "good");
  for (const [number, evil] of evils.entries()) {
    for (let at = 0; at < 4_096; at++) {
      evil.call(`10.${number}.${at >> 8}.${at & 255}`, 80 + (at & 3));
    }
  }
  const told: string[] = [];
  for (let round = 0; round < evils.length; round++) {
    for (let at = 0; at < 4; at++) {
      nowMs += 1_000;
      for (const each of [good, ...evils]) each.flush();
    }
    good.call("10.9.9.9");
    const taken = feed.take();
    const rows = taken.filter(({ spiffeId }) => spiffeId === idOf("evil"));
    const count = rows.reduce((sum, { seen, coverage }) => sum + seen.length + coverage.length, 0);
    assert.ok(count <= 2 * 4_096, `${count} rows`);
    assert.ok(taken.some(({ proxyId }) => proxyId === "good"));
    assert.ok(feed.hasNew, "what waits is told at once");
    told.push(...rows.map(({ proxyId }) => proxyId));
  }
  assert.equal(new Set(told).size, evils.length, "each has its turn");
  feed.take();
  assert.ok(!feed.hasNew);
});

test("keeps no more of an Envoy that sends no counters for many ports than for one", () => {
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  const feed = new ConnectionFeed({ nowMs: () => 1_000_000_000, resumed: () => undefined });
  const log = feed.log({ proxyId: "evil", spiffeId: idOf("evil") });
  const chain = "plaintext-tcp";
  const entry = { ...emptyEntry(), chain, address: "10.0.0.1", beganMs: 999_999_900, lastedMs: 50 };
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let port = 1; port <= 512; port++) {
    log.take(Array.from({ length: 1_024 }, (_, at) => ({ ...entry, port, id: `${port}${at}` })));
  }
  gc();
  const mebibytes = (process.memoryUsage().heapUsed - before) / 1_048_576;
  log.close();
  assert.ok(mebibytes < 16, `${mebibytes} MiB`);
});
