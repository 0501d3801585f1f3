/**
 * What the API server says of tokens whose own claims were verified before: garbage never reaches it. One question at a time for each
 * token, and for a moment its answer counts for those who come after; no pod and no service account takes all places of those who are
 * asked about. Its silence is nobody's fault, and lets nobody pass.
 */

import { hash } from "node:crypto";
import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import {
  callerFromReview,
  type ClaimedCaller,
} from "../../../../core/identity/kubernetes-review-caller.ts";
import type { ReviewAnswer } from "../../../../core/kube/who/review-answer.ts";
import type { TrustDomain } from "../../../../core/spiffe/id.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { ReviewResult } from "../../../../edge/telemetry/kube-events.ts";
import { RecentAnswers } from "../recent-answers.ts";
import { Shares } from "../shares.ts";

export interface TokenReviewsOptions {
  /** @throws KubeError; it ends by itself */
  readonly ask: (token: string) => Promise<ReviewAnswer>;
  readonly trustDomain: TrustDomain;
  /** Whether an answer counts once only. */
  readonly isAlways: boolean;
  readonly onReviewed: (result: ReviewResult) => void;
  /** Monotonic. */
  readonly nowMs: () => number;
}

type Verdict =
  | { readonly kind: "caller"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly error: AuthnError };

interface Kept {
  readonly verdict: Verdict;
  /** Monotonic. */
  readonly untilMs: number;
}

const keptMax = 4_096;
const yesMs = 10_000;
const noMs = 2_000;
/** A node's proxy asks for 8 of its pods at once. */
const perHolderMax = 16;
/** Of the 160 that the connection has for reviews; all replicas of a workload may come at once. */
const perAccountMax = 96;

export class TokenReviews {
  readonly #options: TokenReviewsOptions;
  readonly #recent: RecentAnswers<Kept>;
  readonly #holders = new Shares(perHolderMax);
  readonly #accounts = new Shares(perAccountMax);

  constructor(options: TokenReviewsOptions) {
    this.#options = options;
    this.#recent = new RecentAnswers({
      entriesMax: keptMax,
      untilMs: ({ untilMs }) => untilMs,
      nowMs: options.nowMs,
    });
  }

  /**
   * By an answer of a moment ago; the token's own time is not looked at.
   * @returns undefined where the API server has to be asked
   * @throws AuthnError
   */
  known(token: string): Caller | undefined {
    const kept = this.#recent.known(digestOf(token));
    return kept && callerOf(kept);
  }

  /**
   * @param before what comes first, such as a look at the watch; together with it there is one for each token
   * @returns who it is by the API server; its claims must agree
   * @throws AuthnError `identities-unavailable` where it cannot say
   */
  async review(
    token: string,
    claimed: ClaimedCaller,
    before: () => Promise<Caller | undefined> = async () => undefined,
  ): Promise<Caller> {
    const { pod, serviceAccountUid = "" } = claimed.evidence;
    const full = (): AuthnError => tooMany(claimed);
    const run = (): Promise<Kept> =>
      this.#holders.run(pod?.uid ?? serviceAccountUid, full, () =>
        this.#run(token, claimed, before),
      );
    const { isAlways } = this.#options;
    return callerOf(isAlways ? await run() : await this.#recent.answer(digestOf(token), run));
  }

  async #run(
    token: string,
    claimed: ClaimedCaller,
    before: () => Promise<Caller | undefined>,
  ): Promise<Kept> {
    const seen = await before();
    // The watch is asked anew each time.
    if (seen !== undefined)
      return { verdict: { kind: "caller", caller: seen }, untilMs: -Infinity };
    const { nowMs } = this.#options;
    // Of its beginning: what happens while it is under way may not be in it.
    const beganMs = nowMs();
    const { serviceAccountUid = "" } = claimed.evidence;
    const verdict = await this.#accounts.run(
      serviceAccountUid,
      () => tooMany(claimed),
      () => this.#ask(token, claimed),
    );
    return { verdict, untilMs: beganMs + (verdict.kind === "caller" ? yesMs : noMs) };
  }

  /** @throws AuthnError `identities-unavailable` */
  async #ask(token: string, claimed: ClaimedCaller): Promise<Verdict> {
    const { ask, trustDomain, onReviewed } = this.#options;
    let answer: ReviewAnswer;
    try {
      answer = await ask(token);
    } catch (cause) {
      onReviewed("unavailable");
      throw unavailable(claimed, cause);
    }
    const verdict = judge(answer, claimed, trustDomain);
    onReviewed(verdict.kind === "caller" ? "authenticated" : "refused");
    return verdict;
  }
}

/** @throws AuthnError */
function callerOf({ verdict }: Kept): Caller {
  if (verdict.kind === "caller") return verdict.caller;
  throw verdict.error;
}

function judge(answer: ReviewAnswer, claimed: ClaimedCaller, trustDomain: TrustDomain): Verdict {
  if (answer.kind === "refused") {
    const message = `a review of the token: ${answer.why}`;
    return { kind: "refused", error: new AuthnError("token-revoked", message, { claimed }) };
  }
  try {
    return { kind: "caller", caller: callerFromReview(answer, claimed, trustDomain) };
  } catch (error) {
    if (!(error instanceof AuthnError)) throw error;
    return { kind: "refused", error };
  }
}

function unavailable(claimed: Caller, cause: unknown): AuthnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const hint = cause instanceof KubeError ? cause.hint : undefined;
  return new AuthnError("identities-unavailable", `the API server cannot be asked: ${reason}`, {
    cause,
    claimed,
    ...(hint !== undefined && { hint }),
  });
}

function tooMany(claimed: Caller): AuthnError {
  const message = "too many tokens of its pod or its service account are asked about already";
  return new AuthnError("identities-unavailable", message, { claimed, hint: "try again" });
}

function digestOf(token: string): string {
  return hash("sha256", token, "base64url");
}
