import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyPolicy, type ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ServerMode } from "../../../core/policy/server-mode.ts";
import { DrainingFeed, type FlushStream } from "./draining-feed.ts";
import type { OldConnections } from "../../../core/policy/policy-report.ts";
import type { OpenPolicy, PolicyFeed, PolicyUser } from "./policy-feed.ts";

const proxy = { proxyId: "web-0", spiffeId: undefined };

/** A feed that remembers what it was told, and gives what a test wants. */
class Rig {
  nowMs = 1_000;
  readonly told: (readonly [
    user: number,
    ports: Readonly<Record<string, number>>,
    old: OldConnections | undefined,
  ])[] = [];
  readonly users: PolicyUser[] = [];
  readonly acked: string[] = [];
  readonly feed: DrainingFeed = new DrainingFeed(this.#inner(), () => this.nowMs);

  open(): OpenPolicy {
    return this.feed.open({ proxy, labels: new Map(), hasListeners: true, onPolicy: () => {} });
  }

  /** @param at which stream */
  give(mode: ServerMode, digest: string = mode, at = 0): void {
    this.users[at]?.onPolicy({ digest, policy: policyOf(mode) });
  }

  flush(stream: FlushStream, open: number, takenMs: number = this.nowMs): void {
    const counted = "connection_limit.inbound_80.plaintext-tcp.active_connections";
    const stats = new Map([
      [counted, open],
      ["listener_manager.total_listeners_warming", 0],
    ]);
    stream.flush({ takenMs, stats });
  }

  #inner(): PolicyFeed {
    return {
      open: (user) => {
        const at = this.users.push(user) - 1;
        return {
          given: undefined,
          acked: (digest) => void this.acked.push(digest),
          nacked: () => {},
          draining: (ports: ReadonlyMap<number, number>, old?: OldConnections) =>
            void this.told.push([at, Object.fromEntries(ports), old]),
          close: () => {},
        };
      },
    };
  }
}

test("tells what is open on a port from when its strict mode is acknowledged, until it is gone", () => {
  const rig = new Rig();
  const open = rig.open();
  const stream = rig.feed.observe(proxy);
  rig.give("permissive");
  open.acked("permissive");
  rig.flush(stream, 3);
  rig.give("strict");
  rig.flush(stream, 3);
  assert.deepEqual(rig.told.at(-1), [0, {}, "gone"], "it takes them");
  open.acked("strict");
  assert.deepEqual(rig.acked, ["permissive", "strict"]);
  assert.deepEqual(rig.told.at(-1), [0, { 80: 3 }, "unproven"]);
  rig.nowMs += 500;
  rig.flush(stream, 2);
  assert.deepEqual(rig.told.at(-1), [0, { 80: 2 }, "unproven"]);
  rig.nowMs += 1_000;
  rig.flush(stream, 0);
  assert.deepEqual(rig.told.at(-1), [0, {}, "gone"]);
});

test("does not call them gone by the first flush after the acknowledgement", () => {
  const rig = new Rig();
  const open = rig.open();
  const stream = rig.feed.observe(proxy);
  rig.flush(stream, 0);
  rig.give("strict");
  open.acked("strict");
  rig.nowMs += 500;
  rig.flush(stream, 0);
  assert.deepEqual(rig.told.at(-1), [0, {}, "unproven"]);
  rig.nowMs += 1_000;
  rig.flush(stream, 0);
  assert.deepEqual(rig.told.at(-1), [0, {}, "gone"]);
  rig.give("strict", "strict-2");
  open.acked("strict-2");
  assert.deepEqual(rig.told.at(-1), [0, {}, "gone"], "it was strict all the time");
});

test("begins anew where a policy that takes plaintext was given in between", () => {
  const rig = new Rig();
  const open = rig.open();
  const stream = rig.feed.observe(proxy);
  rig.give("strict");
  open.acked("strict");
  for (const step of [500, 1_000]) {
    rig.nowMs += step;
    rig.flush(stream, 0);
  }
  rig.give("permissive");
  rig.give("strict");
  open.acked("strict");
  assert.deepEqual(rig.told.at(-1), [0, {}, "unproven"]);
});

test("says nothing of an Envoy that tells nothing, and leaves what was told of one that tells no more", () => {
  const rig = new Rig();
  const open = rig.open();
  rig.give("strict");
  open.acked("strict");
  assert.deepEqual(rig.told.at(-1), [0, {}, "unobserved"]);
  const stream = rig.feed.observe(proxy);
  rig.flush(stream, 1);
  assert.deepEqual(rig.told.at(-1), [0, { 80: 1 }, "unproven"]);
  stream.close();
  assert.deepEqual(rig.told.at(-1), [0, { 80: 1 }, "unobserved"]);
});

test("counts what an Envoy told before its policy's stream was there, and nothing after its end", () => {
  const rig = new Rig();
  const stream = rig.feed.observe(proxy);
  rig.flush(stream, 1);
  const open = rig.open();
  rig.give("strict");
  open.acked("strict");
  assert.deepEqual(rig.told.at(-1), [0, { 80: 1 }, "unproven"]);
  open.close();
  const before = rig.told.length;
  rig.flush(stream, 2);
  assert.equal(rig.told.length, before);
});

test("adds up two Envoys of one name, and tells it once", () => {
  const rig = new Rig();
  const opens = [rig.open(), rig.open()];
  const [one, other] = [rig.feed.observe(proxy), rig.feed.observe(proxy)];
  for (const at of [0, 1]) rig.give("strict", "strict", at);
  rig.flush(one, 1);
  assert.equal(rig.told.at(-1)?.[2], "unobserved");
  rig.flush(other, 2);
  opens[0]?.acked("strict");
  assert.deepEqual(rig.told.at(-2)?.[1], {}, "one of them still takes it");
  opens[1]?.acked("strict");
  assert.deepEqual(rig.told.slice(-2), [
    [0, { 80: 3 }, "unproven"],
    [1, {}, "unproven"],
  ]);
  other.close();
  rig.flush(one, 0);
  assert.deepEqual(rig.told.at(-2), [0, { 80: 3 }, "unobserved"], "whose they were is not known");
});

test("passes over a flush that is of the future: the clock was set back", () => {
  const rig = new Rig();
  const open = rig.open();
  const stream = rig.feed.observe(proxy);
  rig.give("strict");
  open.acked("strict");
  rig.flush(stream, 1, rig.nowMs + 1);
  assert.deepEqual(rig.told.at(-1), [0, {}, "unobserved"]);
  rig.nowMs = 500;
  rig.flush(stream, 1);
  rig.nowMs = 1_500;
  rig.flush(stream, 0);
  assert.equal(rig.told.at(-1)?.[2], "unproven", "the time of the acknowledgement is not known");
  rig.nowMs = 2_500;
  rig.flush(stream, 0);
  assert.equal(rig.told.at(-1)?.[2], "gone");
});

test("leaves whoever only asks to the feed", () => {
  const rig = new Rig();
  const user = { proxy, labels: new Map(), hasListeners: false, onPolicy: () => {} };
  rig.feed.open(user);
  assert.equal(rig.users[0], user);
});

function policyOf(mode: ServerMode): ProxyPolicy {
  const app = { kind: "ip", host: "127.0.0.1", port: 8080 } as const;
  const inbound = {
    port: 80,
    bind: "0.0.0.0",
    protocol: "tcp",
    isHttp2: false,
    app,
    mode,
  } as const;
  return { ...emptyPolicy, inbound: [inbound] };
}
