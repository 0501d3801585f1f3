/** What a real API server says of tokens, as it was observed: the product builds on each of these. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { V1TokenReviewStatus } from "@kubernetes/client-node";
import { eventually } from "../support/mesh-process.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { ObjectName, PodRef } from "./objects.ts";
import { skipKube } from "./skip-kube.ts";
import { claimsOf, resignToken, reviewToken } from "./token-review.ts";

describe("a TokenReview", { skip: skipKube }, () => {
  let cluster: Cluster;
  let pod: PodRef;

  before(async () => {
    cluster = await startCluster();
    pod = await podOf(cluster, (await cluster.node("node")).name);
  });

  after(async () => cluster.stop());

  const tokenOf = async (of: PodRef): Promise<string> =>
    cluster.tokenOf(accountOf(of), { pod: of, audience: "istio-ca" });

  it("tells a pod's name, UID and node, and the audience", async () => {
    const token = await tokenOf(pod);
    const { authenticated, audiences, user } = await review(cluster, token);
    assert.deepEqual([authenticated, audiences], [true, ["istio-ca"]]);
    assert.equal(user?.username, `system:serviceaccount:${pod.namespace}:${pod.serviceAccount}`);
    const extra = user?.extra ?? {};
    assert.deepEqual(extra["authentication.kubernetes.io/pod-name"], [pod.name]);
    assert.deepEqual(extra["authentication.kubernetes.io/pod-uid"], [pod.uid]);
    const { aud, iss, "kubernetes.io": kubernetes } = claimsOf(token);
    assert.deepEqual(aud, ["istio-ca"]);
    assert.equal(iss, "https://kubernetes.default.svc.cluster.local");
    assert(kubernetes !== null && typeof kubernetes === "object" && "node" in kubernetes);
    const { node } = kubernetes;
    assert(node !== null && typeof node === "object" && "name" in node && "uid" in node);
    assert.deepEqual(extra["authentication.kubernetes.io/node-name"], [node.name]);
    assert.deepEqual(extra["authentication.kubernetes.io/node-uid"], [node.uid]);
  });

  const past = Math.floor(Date.now() / 1_000) - 3_600;
  const otherKey = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;

  const refused: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    [
      "for another audience",
      async () => cluster.tokenOf(accountOf(pod), { pod, audience: "other" }),
      /token audiences \["other"\] is invalid for the target audiences \["istio-ca"\]/,
    ],
    [
      "that has expired",
      async () =>
        resignToken(
          await tokenOf(pod),
          { exp: past + 600, iat: past, nbf: past },
          cluster.tokenKeyPem,
        ),
      /expired/,
    ],
    [
      "of another key",
      async () => resignToken(await tokenOf(pod), {}, otherKey),
      /invalid bearer token|signature/,
    ],
    [
      "of another issuer",
      async () =>
        resignToken(await tokenOf(pod), { iss: "https://other.example" }, cluster.tokenKeyPem),
      /invalid bearer token|issuer/,
    ],
    ["that is no token", async () => "nonsense", /invalid bearer token/],
  ];

  for (const [what, token, error] of refused) {
    it(`refuses a token ${what}`, async () => {
      const status = await review(cluster, await token());
      assert.equal(status.authenticated, undefined);
      assert.match(status.error ?? "", error);
    });
  }

  it("takes the same token re-signed by the cluster's key: the refusals are for what was changed", async () => {
    const token = resignToken(await tokenOf(pod), {}, cluster.tokenKeyPem);
    assert.equal((await review(cluster, token)).authenticated, true);
  });

  it("refuses a deleted pod's token at once, but for 10 s takes one that it has just taken", async () => {
    const gone = await podOf(cluster);
    const reviewed = await tokenOf(gone);
    // One for each question: what is taken a few ms after the deletion, is taken for 10 s as well.
    const fresh = await Promise.all(Array.from({ length: 30 }, async () => tokenOf(gone)));
    const isTaken = async (token: string | undefined): Promise<boolean> =>
      (await review(cluster, token ?? "none")).authenticated === true;
    assert.equal(await isTaken(reviewed), true);
    await cluster.deletePod(gone);
    const deletedMs = performance.now();
    await eventually("refused", async () => !(await isTaken(fresh.pop())), 2_000);
    assert(fresh.length > 0);
    assert.equal(await isTaken(reviewed), true);
    await eventually("refused, too", async () => !(await isTaken(reviewed)), 20_000);
    const seconds = (performance.now() - deletedMs) / 1_000;
    assert(seconds > 5 && seconds < 15, `${seconds} s`);
  });
});

/** Its service account is one of its own. */
async function podOf(cluster: Cluster, node?: string): Promise<PodRef> {
  const account = await cluster.serviceAccount(await cluster.namespace("test"), "app");
  return cluster.pod(account, { ...(node !== undefined && { node }) });
}

function accountOf({ namespace, serviceAccount: name }: PodRef): ObjectName {
  return { namespace, name };
}

async function review(cluster: Cluster, token: string): Promise<V1TokenReviewStatus> {
  return reviewToken(cluster.kubeConfig(), token, ["istio-ca"]);
}
