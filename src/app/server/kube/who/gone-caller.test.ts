import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  testAccount,
  testHolder,
  testPod,
  testView,
  type TestView,
} from "../../../../../test/support/kube-objects.ts";
import { PortcullisError } from "../../../../core/error.ts";
import type { Caller, CallerEvidence } from "../../../../core/identity/caller.ts";
import { SpiffeId } from "../../../../core/spiffe/id.ts";
import { assertNotGone } from "./gone-caller.ts";

const nowMs = 1_795_521_600_000;

function callerOf(evidence: CallerEvidence): Caller {
  const id = SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart");
  return { id, namespace: "shop", serviceAccount: "cart", expiresAtMs: Infinity, evidence };
}

const ztunnel = testPod({ name: "ztunnel-1", uid: "zt-pod", serviceAccount: "ztunnel" });
const callers = {
  pod: callerOf(testHolder().evidence),
  account: callerOf(testHolder(testAccount(), {}).evidence),
  unseen: callerOf(testHolder(testAccount(), { pod: { name: "new", uid: "new" } }).evidence),
  node: callerOf({
    method: "node",
    by: "spiffe://cluster.local/ns/shop/sa/ztunnel",
    askedBy: { name: ztunnel.name, uid: ztunnel.uid },
    onNode: "node-1",
    issuer: "https://issuer",
  }),
  renewal: callerOf({
    method: "certificate",
    serialHex: "01",
    joinTokenId: "j",
    enrolledAtMs: nowMs,
  }),
  joined: callerOf({ method: "join-token", joinTokenId: "j", enrolledAtMs: nowMs }),
} as const;

type Who = keyof typeof callers;

const events: Readonly<Record<string, (view: TestView) => void>> = {
  "nothing has happened": () => {},
  "its pod is deleted": ({ caches }) => caches.pods.delete(testPod()),
  "its pod has ended": ({ caches }) => caches.pods.set(testPod({ phase: "Succeeded" })),
  "another pod has the name": ({ caches }) => caches.pods.set(testPod({ uid: "other" })),
  "its account is deleted": ({ caches }) => caches.accounts.delete(testAccount()),
  "the pod that asked is deleted": ({ caches }) => caches.pods.delete(ztunnel),
};

const refused: readonly (readonly [string, Partial<Record<Who, string>>])[] = [
  ["nothing has happened", {}],
  ["its pod is deleted", { pod: "token-revoked", node: "impersonation-refused" }],
  ["its pod has ended", { pod: "token-revoked", node: "impersonation-refused" }],
  ["another pod has the name", { pod: "token-revoked" }],
  [
    "its account is deleted",
    {
      pod: "token-revoked",
      account: "token-revoked",
      unseen: "token-revoked",
      renewal: "renewal-revoked",
    },
  ],
  ["the pod that asked is deleted", { node: "impersonation-refused" }],
];

describe("whoever has waited since it was let in is refused for what is gone alone, where", () => {
  for (const [event, expected] of refused) {
    it(event, () => {
      const view = testView([testPod(), ztunnel]);
      view.caches.accounts.set(testAccount({ createdMs: nowMs - 60_000 }));
      events[event]?.(view);
      for (const [who, caller] of Object.entries(callers)) {
        const code = codeOf(() => assertNotGone(caller, view, nowMs));
        assert.equal(code, expected[who as Who] ?? "", who);
      }
    });
  }
});

function codeOf(work: () => void): string {
  try {
    work();
    return "";
  } catch (error) {
    assert.ok(error instanceof PortcullisError);
    return String(error.code);
  }
}
