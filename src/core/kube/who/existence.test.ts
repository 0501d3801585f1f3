import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { testAccount, testHolder, testPod } from "../../../../test/support/kube-objects.ts";
import { existenceOf, type Existence, type TokenHolder } from "./existence.ts";
import { ObjectCache } from "../object-cache.ts";
import type { Pod } from "../pod.ts";
import type { KubeServiceAccount } from "../service-account.ts";

const nowMs = 1_000_000_000;

function cachesOf(accounts: readonly KubeServiceAccount[], pods: readonly Pod[]) {
  const caches = { accounts: new ObjectCache<KubeServiceAccount>(), pods: new ObjectCache<Pod>() };
  caches.accounts.replace(accounts);
  caches.pods.replace(pods);
  return caches;
}

const withoutUid: TokenHolder = {
  ...testHolder(),
  evidence: { ...testHolder().evidence, serviceAccountUid: undefined },
};
const alone = testHolder(testAccount(), {});
const ofNode = testHolder(testAccount(), { node: "node-1" });

describe("what a token is bound to", () => {
  const gone = (what: "pod" | "service account", why: string): Existence => ({
    kind: "gone",
    what,
    why,
  });
  const table: readonly (readonly [
    string,
    TokenHolder,
    Partial<KubeServiceAccount>,
    Partial<Pod>,
    Existence,
  ])[] = [
    ["is there by both UIDs", testHolder(), {}, {}, { kind: "exists", pod: testPod() }],
    ["is there without a pod", alone, {}, {}, { kind: "exists", pod: undefined }],
    [
      "is not known by an account's name",
      testHolder(),
      { uid: "new" },
      {},
      unknown("service account"),
    ],
    [
      "is not known in another namespace",
      testHolder(),
      { namespace: "b" },
      {},
      unknown("service account"),
    ],
    ["is not known by a pod's name", testHolder(), {}, { uid: "new" }, unknown("pod")],
    ["is a node, which nobody watches", ofNode, {}, {}, unknown("node")],
    ["is nothing in a token of old", withoutUid, {}, {}, { kind: "unbound" }],
    [
      "has ended well",
      testHolder(),
      {},
      { phase: "Succeeded" },
      gone("pod", "has ended (Succeeded)"),
    ],
    ["has failed", testHolder(), {}, { phase: "Failed" }, gone("pod", "has ended (Failed)")],
    [
      "runs as another",
      testHolder(),
      {},
      { serviceAccount: "other" },
      gone("pod", "runs as another service account"),
    ],
    ...(["Pending", "Running", "Unknown"] as const).map(
      (phase) =>
        [
          `is there while it is ${phase}`,
          testHolder(),
          {},
          { phase },
          { kind: "exists", pod: testPod({ phase }) },
        ] as const,
    ),
    [
      "is there until a minute after its time",
      testHolder(),
      { deletionMs: nowMs - 60_000 },
      { deletionMs: nowMs - 60_000 },
      { kind: "exists", pod: testPod({ deletionMs: nowMs - 60_000 }) },
    ],
    [
      "is over a minute after its pod's time",
      testHolder(),
      {},
      { deletionMs: nowMs - 60_001 },
      gone("pod", "should have been gone a minute ago"),
    ],
    [
      "is over a minute after its account's time",
      testHolder(),
      { deletionMs: nowMs - 60_001 },
      {},
      gone("service account", "should have been gone a minute ago"),
    ],
  ];
  for (const [verdict, holder, account, pod, expected] of table) {
    it(verdict, () => {
      const caches = cachesOf([testAccount(account)], [testPod(pod)]);
      assert.deepEqual(existenceOf(holder, caches, nowMs), expected);
    });
  }

  it("is over when a clock cannot be read", () => {
    const caches = cachesOf([testAccount()], [testPod({ deletionMs: nowMs })]);
    assert.equal(existenceOf(testHolder(), caches, NaN).kind, "gone");
  });

  it("is gone when it went, also when another one has its name", () => {
    const caches = cachesOf([testAccount()], [testPod()]);
    caches.pods.delete(testPod());
    const deleted = gone("pod", "was deleted");
    assert.deepEqual(existenceOf(testHolder(), caches, nowMs), deleted);
    caches.pods.set(testPod({ uid: "new" }));
    const replaced = gone("pod", "was deleted, and another one has its name");
    assert.deepEqual(existenceOf(testHolder(), caches, nowMs), replaced);
  });
});

function unknown(what: "pod" | "service account" | "node"): Existence {
  return { kind: "unknown", what };
}

describe("caches that are behind", () => {
  const step = fc.record({
    what: fc.constantFrom("account", "pod" as const),
    name: fc.constantFrom("a", "b"),
    isThere: fc.boolean(),
  });

  it("never say gone of what is there; when they have caught up, nothing of what is gone is there", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 24 }),
        fc.nat(24),
        fc.nat(24),
        (steps, lag, listAt) => {
          const truth = cachesOf([], []);
          const late = cachesOf([], []);
          const waiting: (() => void)[] = [];
          const holders: TokenHolder[] = [];
          for (const [at, { what, name, isThere }] of steps.entries()) {
            const uid = `${what}-${at}`;
            const before =
              what === "pod" ? truth.pods.find("shop", name) : truth.accounts.find("shop", name);
            if (isThere && before !== undefined) continue;
            const change = (to: typeof truth): void => {
              if (!isThere)
                to[what === "pod" ? "pods" : "accounts"].delete({ namespace: "shop", name });
              else if (what === "pod") to.pods.set(testPod({ name, uid, serviceAccount: name }));
              else to.accounts.set(testAccount({ name, uid }));
            };
            change(truth);
            // Lists are of the time at which they come, and what was on its way before them is not.
            if (at === listAt) {
              waiting.length = 0;
              late.pods.replace([...truth.pods.values()]);
              late.accounts.replace([...truth.accounts.values()]);
            } else {
              waiting.push(() => change(late));
            }
            if (waiting.length > lag) waiting.shift()?.();
            const [account, pod] = [
              truth.accounts.find("shop", name),
              truth.pods.find("shop", name),
            ];
            if (account !== undefined) {
              holders.push(testHolder(account, { pod }));
            }
            for (const holder of holders) {
              const isTrue = existenceOf(holder, truth, nowMs).kind === "exists";
              const { kind } = existenceOf(holder, late, nowMs);
              if (isTrue) assert.notEqual(kind, "gone");
              if (!isTrue && waiting.length === 0) assert.notEqual(kind, "exists");
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
