import assert from "node:assert/strict";
import { test } from "node:test";
import { TestFeed } from "../../../../test/support/policy-feed.ts";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import type { PolicyUser } from "../policy/policy-feed.ts";
import { ConnectionFeed } from "./connection-feed.ts";
import { ListeningFeed } from "./listening-feed.ts";

const user: PolicyUser = {
  proxy: { proxyId: "web-0", spiffeId: undefined },
  labels: new Map(),
  hasListeners: true,
  onPolicy: () => {},
};

class Rig {
  nowMs = 1_000_000_000;
  readonly policies: TestFeed = new TestFeed();
  readonly connections: ConnectionFeed = new ConnectionFeed({
    nowMs: () => this.nowMs,
    resumed: () => undefined,
  });
  readonly feed: ListeningFeed = new ListeningFeed(this.policies, this.connections);
  readonly #stream = this.connections.observe(user.proxy);

  /** Ports that are answered for after a while. */
  covered(): number[] {
    for (let at = 0; at < 5; at++) {
      this.nowMs += 1_000;
      const uptime = (this.nowMs - 1_000_000_000) / 1_000;
      this.#stream.flush({ takenMs: this.nowMs, stats: new Map([["server.uptime", uptime]]) });
    }
    return this.connections.take().flatMap(({ coverage }) => coverage.map(({ port }) => port));
  }
}

test("answers for the ports that an Envoy has acknowledged, called or not", () => {
  const rig = new Rig();
  const open = rig.feed.open(user);
  const policy = policyOf("permissive");
  const digest = rig.policies.give(policy);
  assert.deepEqual(rig.covered(), [], "given is not acknowledged");
  open.acked(digest);
  assert.deepEqual(rig.policies.acked, [digest], "the other feed hears of it, too");
  assert.deepEqual(
    rig.covered(),
    policy.inbound.map(({ port }) => port),
  );
});

test("answers for no port that is not there any more", () => {
  const rig = new Rig();
  const open = rig.feed.open(user);
  const policy = policyOf("permissive");
  open.acked(rig.policies.give(policy));
  rig.covered();
  const moved = policy.inbound.map((each) => ({ ...each, port: each.port + 1 }));
  open.acked(rig.policies.give({ ...policy, inbound: moved }));
  assert.deepEqual(
    rig.covered(),
    moved.map(({ port }) => port),
  );
});

test("leaves whoever only asks to the other feed", () => {
  const rig = new Rig();
  const open = rig.feed.open({ ...user, hasListeners: false });
  open.acked(rig.policies.give(policyOf("permissive")));
  assert.deepEqual(rig.covered(), []);
});
