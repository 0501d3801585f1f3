import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyPolicy } from "../../../core/policy/proxy-policy.ts";
import { ExtAuthzUsers } from "./ext-authz-users.ts";
import type { GivenPolicy, PolicyFeed, PolicyUser } from "./policy-feed.ts";

const noLabels = new Map<string, string>();
const policy: GivenPolicy = { digest: "d1", policy: emptyPolicy };

class Feed implements PolicyFeed {
  readonly users: Set<PolicyUser> = new Set<PolicyUser>();
  readonly acked: string[] = [];
  given: GivenPolicy | undefined;

  open(user: PolicyUser) {
    this.users.add(user);
    return {
      given: this.given,
      acked: (digest: string) => void this.acked.push(digest),
      nacked: () => {},
      draining: () => {},
      close: () => void this.users.delete(user),
    };
  }
}

test("opens the feed once for each proxy, and has its policy in force at once", async () => {
  const feed = new Feed();
  feed.given = policy;
  using users = new ExtAuthzUsers(feed, () => 0);
  const user = users.find(named("web-0"), noLabels);
  assert.equal(users.find(named("web-0"), noLabels), user);
  assert.equal(feed.users.size, 1);
  assert.equal(await user?.policy(0), emptyPolicy);
  assert.deepEqual(feed.acked, ["d1"]);
});

test("has the first question wait for the first policy, and no longer than it may", async () => {
  const feed = new Feed();
  using users = new ExtAuthzUsers(feed, () => 0);
  const user = users.find(named("web-0"), noLabels);
  assert.equal(await user?.policy(1), undefined);
  const waiting = user?.policy(10_000);
  for (const each of feed.users) each.onPolicy(policy);
  assert.equal(await waiting, emptyPolicy);
});

test("answers those that wait when it ends", async () => {
  const feed = new Feed();
  const users = new ExtAuthzUsers(feed, () => 0);
  const waiting = users.find(named("web-0"), noLabels)?.policy(10_000);
  users[Symbol.dispose]();
  assert.equal(await waiting, undefined);
  assert.equal(feed.users.size, 0);
});

test("has 64 places for a workload, and leaves the others theirs", () => {
  const feed = new Feed();
  using users = new ExtAuthzUsers(feed, () => 0);
  const all = Array.from({ length: 65 }, (_, at) => users.find(named(`web-${at}`), noLabels));
  assert.equal(all.filter((user) => user === undefined).length, 1);
  assert.equal(all.at(-1), undefined);
  assert.ok(users.find({ proxyId: "web-64", spiffeId: "spiffe://td.test/ns/a/sa/b" }, noLabels));
  assert.ok(users.find(named("web-0"), noLabels));
});

test("forgets who has not asked for 10 minutes, and nobody else", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const feed = new Feed();
  let nowMs = 0;
  using users = new ExtAuthzUsers(feed, () => nowMs);
  users.find(named("web-0"), noLabels);
  users.find(named("web-1"), noLabels);
  nowMs = 300_000;
  users.find(named("web-1"), noLabels);
  nowMs = 600_000;
  t.mock.timers.tick(60_000);
  assert.deepEqual(
    [...feed.users].map(({ proxy }) => proxy.proxyId),
    ["web-1"],
  );
});

function named(proxyId: string): { readonly proxyId: string; readonly spiffeId: undefined } {
  return { proxyId, spiffeId: undefined };
}
