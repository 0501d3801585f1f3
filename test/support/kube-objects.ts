/** Objects of a cluster as tests have them: the pod `shop/cart-1` of the service account `shop/cart` on `node-1`, and its token's claims. */

import type { TokenHolder } from "../../src/core/kube/who/existence.ts";
import type { Pod } from "../../src/core/kube/pod.ts";
import type { KubeServiceAccount } from "../../src/core/kube/service-account.ts";
import { PodPlaces } from "../../src/core/kube/pod-places.ts";
import { TEST_ISSUER } from "./tokens.ts";
import { FakeWatch } from "./watched-cache.ts";

interface Named {
  readonly name: string;
  readonly uid: string;
}

export function testAccount(changes: Partial<KubeServiceAccount> = {}): KubeServiceAccount {
  return { namespace: "shop", name: "cart", uid: "account-uid", deletionMs: undefined, ...changes };
}

export function testPod(changes: Partial<Pod> = {}): Pod {
  return {
    namespace: "shop",
    name: "cart-1",
    uid: "pod-uid",
    createdMs: 1_000,
    deletionMs: undefined,
    serviceAccount: "cart",
    nodeName: "node-1",
    phase: "Running",
    podIPs: ["10.0.0.1"],
    labels: new Map([["app", "cart"]]),
    hostNetwork: false,
    isReady: true,
    ...changes,
  };
}

export interface TestView {
  readonly caches: {
    readonly accounts: FakeWatch<KubeServiceAccount>;
    readonly pods: FakeWatch<Pod>;
  };
  readonly places: PodPlaces;
  readonly isCurrent: () => boolean;
}

/** What the watches know: the account above, and pods. */
export function testView(pods: readonly Pod[] = [testPod()]): TestView {
  const caches = { accounts: new FakeWatch<KubeServiceAccount>(), pods: new FakeWatch<Pod>() };
  const places = new PodPlaces();
  caches.pods.onChange((changes) => places.take(changes));
  caches.accounts.list(testAccount());
  caches.pods.list(...pods);
  return { caches, places, isCurrent: () => true };
}

interface Bound {
  readonly pod?: Named | undefined;
  readonly node?: string | undefined;
}

/** @param bound to what else its token is bound, if at all */
export function testHolder(
  account: Named = testAccount(),
  { pod, node }: Bound = { pod: testPod(), node: "node-1" },
): TokenHolder {
  return {
    namespace: "shop",
    serviceAccount: account.name,
    evidence: {
      method: "jwt",
      issuer: TEST_ISSUER,
      tokenId: "token-1",
      serviceAccountUid: account.uid,
      pod: pod && { name: pod.name, uid: pod.uid },
      node: node === undefined ? undefined : { name: node },
    },
  };
}

/** `status` of a TokenReview of the pod's token, as an API server of 1.37 answers. */
export function reviewStatus(
  changes: Readonly<Record<string, unknown>> = {},
  userChanges: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    authenticated: true,
    audiences: ["istio-ca"],
    user: {
      username: "system:serviceaccount:shop:cart",
      uid: "account-uid",
      groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/credential-id": ["JTI=token-1"],
        "authentication.kubernetes.io/node-name": ["node-1"],
        "authentication.kubernetes.io/node-uid": ["node-uid"],
        "authentication.kubernetes.io/pod-name": ["cart-1"],
        "authentication.kubernetes.io/pod-uid": ["pod-uid"],
      },
      ...userChanges,
    },
    ...changes,
  };
}
