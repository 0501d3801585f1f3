import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { testAccount, testHolder, testPod } from "../../../../test/support/kube-objects.ts";
import { TrustDomain } from "../../spiffe/id.ts";
import type { TokenHolder } from "./existence.ts";
import { decideImpersonation, type Impersonation } from "./impersonation.ts";
import { ObjectCache } from "../object-cache.ts";
import type { Pod } from "../pod.ts";
import { PodPlaces } from "../pod-places.ts";
import type { KubeServiceAccount } from "../service-account.ts";

const nowMs = 1_000_000;
const trustDomain = TrustDomain.parse("cluster.local");
const account = testAccount({ name: "ztunnel", uid: "zt" });
const ztunnel = testPod({ name: "ztunnel-1", uid: "zt-pod", serviceAccount: "ztunnel" });
const caller = testHolder(account, { pod: ztunnel, node: "node-1" });
const cart = "spiffe://cluster.local/ns/shop/sa/cart";

interface World {
  readonly accounts?: readonly KubeServiceAccount[];
  readonly pods?: readonly Pod[];
}

function decide(
  holder: TokenHolder,
  requested: string,
  { accounts = [account], pods = [ztunnel, testPod()] }: World = {},
): Impersonation {
  const caches = { accounts: new ObjectCache<KubeServiceAccount>(), pods: new ObjectCache<Pod>() };
  const places = new PodPlaces();
  caches.accounts.replace(accounts);
  places.take(caches.pods.replace(pods));
  const rules = { trustedAccounts: new Set(["shop/ztunnel"]), trustDomain };
  return decideImpersonation(holder, requested, rules, { ...caches, places }, nowMs);
}

it("gives a node's proxy the identity of a pod on its node", () => {
  const { kind, ...granted } = decide(caller, cart);
  assert.equal(kind, "granted");
  assert.deepEqual(JSON.parse(JSON.stringify({ ...granted, id: undefined })), {
    namespace: "shop",
    serviceAccount: "cart",
    node: "node-1",
  });
  assert.equal("id" in granted && granted.id.toString(), cart);
});

it("takes the pod's node for that of a token from before Kubernetes 1.30", () => {
  assert.equal(decide(testHolder(account, { pod: ztunnel }), cart).kind, "granted");
});

describe("whoever asks", () => {
  const other = { ...ztunnel, nodeName: "node-2" };
  const table: readonly (readonly [string, TokenHolder, World, Impersonation["kind"], RegExp])[] = [
    [
      "is refused as another account",
      testHolder(),
      { accounts: [testAccount()] },
      "refused",
      /shop\/cart is no trusted node account/,
    ],
    ["is refused without a pod", testHolder(account, {}), {}, "refused", /bound to no pod/],
    [
      "is refused with a token of another node than its pod's",
      testHolder(account, { pod: ztunnel, node: "node-2" }),
      {},
      "refused",
      /token is of node "node-2", its pod on "node-1"/,
    ],
    [
      "gets nothing of the node that its token names if its pod is on another",
      caller,
      { pods: [other, testPod()] },
      "refused",
      /its pod on "node-2"/,
    ],
    [
      "is refused when its pod runs as another account",
      caller,
      { pods: [{ ...ztunnel, serviceAccount: "cart" }, testPod()] },
      "refused",
      /its pod runs as another/,
    ],
    [
      "is refused when its pod has ended",
      caller,
      { pods: [{ ...ztunnel, phase: "Failed" }, testPod()] },
      "refused",
      /its pod has ended/,
    ],
    ["waits while its pod is not known", caller, { pods: [testPod()] }, "unseen", /its pod is not/],
    [
      "waits for a pod of its pod's name with another UID",
      caller,
      { pods: [{ ...ztunnel, uid: "new" }, testPod()] },
      "unseen",
      /its pod is not known/,
    ],
    [
      "waits while its own pod is on no node",
      caller,
      { pods: [{ ...ztunnel, nodeName: "" }, testPod()] },
      "unseen",
      /on no node yet/,
    ],
    [
      "gets nothing of what runs on another node",
      caller,
      { pods: [ztunnel, testPod({ nodeName: "node-2" })] },
      "unseen",
      /no pod of shop\/cart runs on node "node-1"/,
    ],
    [
      "gets nothing of what has ended there",
      caller,
      { pods: [ztunnel, testPod({ phase: "Succeeded" })] },
      "unseen",
      /no pod of shop\/cart/,
    ],
  ];
  for (const [verdict, holder, world, kind, why] of table) {
    it(verdict, () => {
      const answer = decide(holder, cart, world);
      assert.equal(answer.kind, kind);
      assert.match("why" in answer ? answer.why : "", why);
    });
  }
});

describe("what is asked for", () => {
  const refused = [
    "",
    "cart",
    "spiffe://other.example/ns/shop/sa/cart",
    "spiffe://CLUSTER.LOCAL/ns/shop/sa/cart",
    "spiffe://cluster.local",
    "spiffe://cluster.local/ns/shop/sa/cart/x",
    "spiffe://cluster.local/ns/shop/sa",
    "spiffe://cluster.local/ns//sa/cart",
    "spiffe://cluster.local/ns/shop/sa/",
    "spiffe://cluster.local/ns/shop/sa/Cart",
    "spiffe://cluster.local/ns/sh.op/sa/cart",
    "spiffe://cluster.local/sa/cart/ns/shop",
    "spiffe://cluster.local/portcullis/server",
    "https://cluster.local/ns/shop/sa/cart",
    `spiffe://cluster.local/ns/shop/sa/${"x".repeat(254)}`,
  ];
  for (const requested of refused) {
    it(`is refused: ${JSON.stringify(requested.slice(0, 60))}`, () => {
      assert.equal(decide(caller, requested).kind, "refused");
    });
  }

  it("is granted to nobody whose node has no such pod, whatever text it is", () => {
    const part = fc.constantFrom("ns", "sa", "shop", "cart", "pay", "", ".", "/", "a/b", "%2f");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const requested = `spiffe://cluster.local/${parts.join("/")}`;
        const answer = decide(caller, requested);
        assert.equal(answer.kind === "granted", requested === cart);
      }),
    );
  });
});
