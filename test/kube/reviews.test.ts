/** What the API server says of tokens, and what the watch knows: every refusal by a real one, and who is the quicker. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { KubernetesEvidence } from "../../src/core/identity/caller.ts";
import { callerFromClaims } from "../../src/core/identity/kubernetes-caller.ts";
import { callerFromReview } from "../../src/core/identity/kubernetes-review-caller.ts";
import { parseTokenClaims } from "../../src/core/identity/token-claims.ts";
import { existenceOf, type TokenHolder } from "../../src/core/kube/who/existence.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { pods, serviceAccounts } from "../../src/edge/kube/read/read-identities.ts";
import { reviewToken } from "../../src/edge/kube/reviews.ts";
import { makeTokenKey, signToken } from "../support/tokens.ts";
import { OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { ObjectRef, PodRef } from "./objects.ts";
import { skipKube } from "./skip-kube.ts";
import { claimsOf, resignToken } from "./token-review.ts";
import { watched, type Watched } from "../support/watched.ts";

const audience = "istio-ca";
const trustDomain = TrustDomain.parse("example.com");

describe("a review of a token", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
  });

  after(async () => {
    await cluster.stop();
  });

  const ask = async (token: string): Promise<string> => {
    const answer = await reviewToken(connection, token, [audience]);
    return answer.kind === "refused" ? answer.why : answer.kind;
  };

  it("says whose it is, as its claims do", async () => {
    const { account, pod } = await podOf(cluster, true);
    const token = await cluster.tokenOf(account, { pod, audience });
    const answer = await reviewToken(connection, token, ["other", audience]);
    assert.ok(answer.kind === "authenticated");
    const claimed = claimedBy(token);
    const caller = callerFromReview(answer, claimed, trustDomain);
    assert.deepEqual({ ...caller }, { ...claimed });
    assert.equal(caller.evidence.pod?.uid, pod.uid);
    assert.notEqual(answer.node?.uid, undefined);
  });

  it("refuses every token that is not good now, in the API server's words", async () => {
    const { account, pod } = await podOf(cluster);
    const token = await cluster.tokenOf(account, { pod, audience });
    const past = Math.floor(Date.now() / 1_000) - 600;
    const expired = resignToken(
      token,
      { exp: past, iat: past - 600, nbf: past - 600 },
      cluster.tokenKeyPem,
    );
    const foreign = signToken(makeTokenKey("RS256", "other"), { payload: claimsOf(token) });
    const gone = await podOf(cluster);
    const ofGonePod = await cluster.tokenOf(gone.account, { pod: gone.pod, audience });
    await cluster.deletePod(gone.pod);
    const { namespace } = gone.account;
    const lost = await cluster.serviceAccount(namespace, "lost");
    const ofLost = await cluster.tokenOf(lost, { audience });
    await cluster.deleteServiceAccount(lost);
    const first = await cluster.serviceAccount(namespace, "again");
    const ofFirst = await cluster.tokenOf(first, { audience });
    await cluster.deleteServiceAccount(first);
    await cluster.serviceAccount(namespace, "again");
    const table: readonly (readonly [string, string, RegExp])[] = [
      [
        "for another audience",
        await cluster.tokenOf(account, { pod, audience: "vault" }),
        /audience/,
      ],
      ["that has expired", expired, /expired/],
      ["of another cluster", foreign, /the API server says/],
      ["that is changed", token.replace(/.{8}$/, "AAAAAAAA"), /the API server says/],
      ["of a pod that is gone", ofGonePod, /the API server says: .*invalidated/],
      ["of an account that is gone", ofLost, /the API server says: .*service ?account/i],
      [
        "of an account of before it was made again",
        ofFirst,
        /the API server says: .*UID .* does not match/,
      ],
      ["that is none", "a.b.c", /the API server says/],
    ];
    for (const [what, each, why] of table) {
      const said = await ask(each);
      assert.match(said, why, `a token ${what}`);
      assert.ok(!said.includes(each.split(".")[2] ?? ""), "no signature in words");
    }
    assert.equal(await ask(token), "authenticated");
  });

  it("is slower than our watch to say that a pod is gone: it remembers its yes for 10 s", async () => {
    await using accounts = watched(connection, serviceAccounts);
    await using known = watched(connection, pods);
    await Promise.all([accounts.when("watching"), known.when("watching")]);
    const { account, pod } = await podOf(cluster, true);
    const token = await cluster.tokenOf(account, { pod, audience });
    const holder = claimedBy(token);
    await known.until(() => exists(holder, accounts, known) === "exists");
    assert.equal(await ask(token), "authenticated");
    const beganMs = performance.now();
    await cluster.deletePod(pod);
    await known.until(() => exists(holder, accounts, known) === "gone");
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 1_000, `${tookMs} ms`);
    assert.equal(await ask(token), "authenticated");
  });

  it("knows an account that is made again as another one", async () => {
    await using accounts = watched(connection, serviceAccounts);
    await using known = watched(connection, pods);
    await Promise.all([accounts.when("watching"), known.when("watching")]);
    const first = await cluster.serviceAccount(await cluster.namespace("again"), "cart");
    const token = await cluster.tokenOf(first, { audience });
    await cluster.deleteServiceAccount(first);
    const second = await cluster.serviceAccount(first.namespace, "cart");
    await accounts.until(() => accounts.cache.find(first.namespace, "cart")?.uid === second.uid);
    assert.equal(exists(claimedBy(token), accounts, known), "gone");
    const newer = await cluster.tokenOf(second, { audience });
    assert.equal(exists(claimedBy(newer), accounts, known), "exists");
  });

  it("is none where the API server is away, or does not let us ask", async () => {
    await using ours = await OurAccount.make(cluster);
    using theirs = new KubeConnection({ access: ours.access });
    const token = await cluster.tokenOf(ours.account, { audience });
    const failure = async (by: KubeConnection): Promise<KubeError> => {
      const error: unknown = await reviewToken(by, token, [audience]).catch(
        (error: unknown) => error,
      );
      assert.ok(error instanceof KubeError, String(error));
      assert.ok(!`${error.message} ${error.hint}`.includes(token.split(".")[1] ?? ""));
      return error;
    };
    const { code, hint } = await failure(theirs);
    assert.deepEqual(
      [code, hint?.includes('resources: ["tokenreviews"], verbs: ["create"]')],
      ["kube-forbidden", true],
    );
    await cluster.kill();
    assert.equal((await failure(connection)).code, "kube-unreachable");
    await cluster.restart();
    assert.equal(await ask(token), "authenticated");
  });
});

function exists(
  holder: TokenHolder,
  accounts: Watched<ReturnType<typeof serviceAccounts.parse> & object>,
  known: Watched<ReturnType<typeof pods.parse> & object>,
): string {
  const caches = { accounts: accounts.cache, pods: known.cache };
  return existenceOf(holder, caches, Date.now()).kind;
}

/** As the door of tokens would have verified it. */
function claimedBy(token: string): ReturnType<typeof callerFromClaims> & {
  readonly evidence: KubernetesEvidence;
} {
  const claims = parseTokenClaims(claimsOf(token));
  const rules = { issuer: claims.issuer, audiences: [audience], trustDomain, clockSkewMs: 10_000 };
  const caller = callerFromClaims(claims, rules, Date.now());
  assert.ok(caller.evidence.method === "jwt");
  return { ...caller, evidence: caller.evidence };
}

async function podOf(
  cluster: Cluster,
  isOnNode = false,
): Promise<{ readonly account: ObjectRef; readonly pod: PodRef }> {
  const account = await cluster.serviceAccount(await cluster.namespace("review"), "cart");
  const node = isOnNode ? { node: (await cluster.node("node")).name } : {};
  return { account, pod: await cluster.pod(account, node) };
}
