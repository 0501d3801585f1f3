import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { ClaimedCaller } from "../../../../core/identity/kubernetes-review-caller.ts";
import type { ReviewAnswer } from "../../../../core/kube/who/review-answer.ts";
import { SpiffeId, TrustDomain } from "../../../../core/spiffe/id.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import { refusalOf } from "../../../../edge/rpc/ca-status.ts";
import { TokenReviews } from "./token-reviews.ts";

const trustDomain = TrustDomain.parse("cluster.local");
const claimed: ClaimedCaller = {
  id: SpiffeId.forServiceAccount(trustDomain, "shop", "cart"),
  namespace: "shop",
  serviceAccount: "cart",
  expiresAtMs: Infinity,
  evidence: { method: "jwt", issuer: "https://issuer", serviceAccountUid: "u-1" },
};
const yes: ReviewAnswer = {
  kind: "authenticated",
  namespace: "shop",
  serviceAccount: "cart",
  serviceAccountUid: "u-1",
  pod: undefined,
  node: undefined,
};
const no: ReviewAnswer = { kind: "refused", why: "scripted" };

class Rig {
  nowMs = 0;
  asked = 0;
  answer: () => Promise<ReviewAnswer> = async () => yes;
  readonly results: string[] = [];
  readonly reviews: TokenReviews;

  constructor(isAlways = false) {
    this.reviews = new TokenReviews({
      ask: () => {
        this.asked++;
        return this.answer();
      },
      trustDomain,
      isAlways,
      onReviewed: (result) => void this.results.push(result),
      nowMs: () => this.nowMs,
    });
  }

  /** @returns "known" or "asked", or the code of the refusal */
  async look(token = "a.b.c"): Promise<string> {
    try {
      if (this.reviews.known(token) !== undefined) return "known";
      await this.reviews.review(token, claimed);
      return "asked";
    } catch (error) {
      assert.ok(error instanceof AuthnError, String(error));
      return error.code;
    }
  }
}

describe("a review of a token", () => {
  it("counts for 10 s from its question where it said yes", async () => {
    const rig = new Rig();
    rig.answer = async () => {
      rig.nowMs += 3_000;
      return yes;
    };
    assert.equal(await rig.look(), "asked");
    rig.nowMs = 9_999;
    assert.equal(await rig.look(), "known");
    assert.equal(await rig.look("another"), "asked");
    rig.nowMs = 20_000;
    assert.equal(await rig.look(), "asked");
  });

  it("counts for 2 s where it said no", async () => {
    const rig = new Rig();
    rig.answer = async () => no;
    assert.equal(await rig.look(), "token-revoked");
    rig.nowMs = 1_999;
    assert.equal(await rig.look(), "token-revoked");
    assert.equal(rig.asked, 1);
    rig.nowMs = 2_000;
    assert.equal(await rig.look(), "token-revoked");
    assert.equal(rig.asked, 2);
  });

  it("is none where nobody answered: the next one asks again, and nobody passes", async () => {
    const rig = new Rig();
    rig.answer = () => Promise.reject(new KubeError("kube-throttled", "429", { retryAfterMs: 1 }));
    assert.equal(await rig.look(), "identities-unavailable");
    assert.equal(await rig.look(), "identities-unavailable");
    rig.answer = async () => yes;
    assert.equal(await rig.look(), "asked");
    assert.deepEqual(rig.results, ["unavailable", "unavailable", "authenticated"]);
  });

  it("is put off for as long as the API server asks for, at the caller, too", async () => {
    const rig = new Rig(true);
    rig.answer = () => Promise.reject(new KubeError("kube-throttled", "", { retryAfterMs: 7_000 }));
    const error: unknown = await rig.reviews.review("a.b.c", claimed).catch((each) => each);
    assert.equal(refusalOf(error).retryAfterMs, 7_000);
  });

  it("refuses a token of whom the API server says another than its claims", async () => {
    const rig = new Rig();
    rig.answer = async () => ({ ...yes, serviceAccountUid: "u-2" });
    assert.equal(await rig.look(), "token-claims");
    assert.equal(await rig.look(), "token-claims");
    assert.equal(rig.asked, 1);
  });

  it("is one for all who ask at the same time, unless each has to be asked about", async () => {
    for (const isAlways of [false, true]) {
      const rig = new Rig(isAlways);
      await Promise.all(Array.from({ length: 10 }, () => rig.look()));
      assert.equal(rig.asked, isAlways ? 10 : 1);
      assert.equal(await rig.look(), isAlways ? "asked" : "known");
    }
  });

  it("is for few of one pod at a time, so that others find places", async () => {
    const rig = new Rig(true);
    const answer = Promise.withResolvers<ReviewAnswer>();
    rig.answer = () => answer.promise;
    const all = Array.from({ length: 100 }, () => rig.look());
    const refused = await Promise.all(all.slice(16));
    assert.deepEqual([...new Set(refused)], ["identities-unavailable"]);
    assert.equal(rig.asked, 16);
    answer.resolve(yes);
    assert.deepEqual([...new Set(await Promise.all(all.slice(0, 16)))], ["asked"]);
    assert.equal(await rig.look(), "asked");
  });

  it("is for a part of all places for the pods of one service account", async () => {
    const rig = new Rig();
    const answer = Promise.withResolvers<ReviewAnswer>();
    rig.answer = () => answer.promise;
    const ask = (at: number, serviceAccountUid: string): Promise<unknown> => {
      const pod = { name: `cart-${at}`, uid: `${serviceAccountUid}-${at}` };
      const evidence = { ...claimed.evidence, serviceAccountUid, pod };
      return rig.reviews.review(`${serviceAccountUid}.${at}`, { ...claimed, evidence });
    };
    const all = Array.from({ length: 200 }, (_, at) => ask(at, "u-1").catch(() => "refused"));
    await Promise.all(all.slice(96));
    assert.equal(rig.asked, 96);
    const other = ask(0, "u-2").catch(() => "refused");
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    assert.equal(rig.asked, 97);
    answer.resolve(no);
    await Promise.all([...all, other]);
  });

  it("is not asked for where the watch has told of it first", async () => {
    const rig = new Rig();
    const caller = await rig.reviews.review("a.b.c", claimed, async () => claimed);
    assert.deepEqual([caller, rig.asked], [claimed, 0]);
    assert.equal(rig.reviews.known("a.b.c"), undefined);
  });
});
