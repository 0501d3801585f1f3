/**
 * What the API server is asked about operators, and what it has said a moment ago. Each kind of asker has places of its own: who can be
 * verified here, few of each service account; and strangers, of whom anybody can make as many as he likes.
 */

import { hash } from "node:crypto";
import {
  permissionText,
  type AdminPermission,
} from "../../../../core/kube/who/admin-permissions.ts";
import type { ReviewedOperator } from "../../../../core/kube/who/reviewed-operator.ts";
import type { RefusedToken } from "../../../../core/kube/who/review-answer.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import { RequestGate } from "../../../../edge/kube/request-gate.ts";
import { RecentAnswers } from "../recent-answers.ts";
import { Shares } from "../shares.ts";

export type OperatorReview = ReviewedOperator | RefusedToken;

export interface OperatorQuestionsOptions {
  /** Both reject with KubeError, or by their signal. */
  readonly review: (token: string, signal: AbortSignal) => Promise<OperatorReview>;
  readonly mayDo: (
    operator: ReviewedOperator,
    permission: AdminPermission,
    signal: AbortSignal,
  ) => Promise<boolean>;
  readonly monotonicMs: () => number;
}

const rememberedMs = 10_000;
/** Somebody who has just been given a role tries again at once. */
const refusalsRememberedMs = 2_000;
const tokensMax = 256;
const permissionsMax = 2_048;
/** Together what the connection has for operators. */
const gateLimits = { inFlightMax: 8, waitingMax: 32 };
const strangersLimits = { inFlightMax: 2, waitingMax: 8 };
/** Whoever may have one token of a service account may have a thousand. */
const perHolderMax = 4;
/** For each of two questions: a client waits 5 s. */
export const ASK_MS = 2_000;

export class OperatorQuestions {
  readonly #options: OperatorQuestionsOptions;
  readonly #gate = new RequestGate(gateLimits);
  readonly #strangersGate = new RequestGate(strangersLimits);
  readonly #holders = new Shares(perHolderMax);
  readonly #reviews: RecentAnswers<OperatorReview>;
  /** They push out nobody else's. */
  readonly #strangers: RecentAnswers<OperatorReview>;
  readonly #permissions: RecentAnswers<boolean>;

  constructor(options: OperatorQuestionsOptions) {
    this.#options = options;
    const { monotonicMs: nowMs } = options;
    const reviews = () =>
      new RecentAnswers<OperatorReview>({
        entriesMax: tokensMax,
        untilMs: ({ kind }, askedMs) =>
          askedMs + (kind === "refused" ? refusalsRememberedMs : rememberedMs),
        nowMs,
      });
    this.#reviews = reviews();
    this.#strangers = reviews();
    this.#permissions = new RecentAnswers({
      entriesMax: permissionsMax,
      untilMs: (isAllowed, askedMs) => askedMs + (isAllowed ? rememberedMs : refusalsRememberedMs),
      nowMs,
    });
  }

  /** @param holder of a token that was verified here @throws KubeError; that there was no answer in time */
  async who(token: string, holder: string | undefined): Promise<OperatorReview> {
    const ask = (signal: AbortSignal) => this.#options.review(token, signal);
    const key = digestOf(token);
    if (holder === undefined) {
      return await this.#strangers.answer(key, () => through(this.#strangersGate, ask));
    }
    return await this.#reviews.answer(key, () =>
      this.#holders.run(holder, tooMany, () => through(this.#gate, ask)),
    );
  }

  /** @throws KubeError; that there was no answer in time */
  async may(
    token: string,
    operator: ReviewedOperator,
    permission: AdminPermission,
  ): Promise<boolean> {
    const ask = (signal: AbortSignal) => this.#options.mayDo(operator, permission, signal);
    const key = `${digestOf(token)} ${permissionText(permission)}`;
    return await this.#permissions.answer(key, () => through(this.#gate, ask));
  }
}

async function through<T>(gate: RequestGate, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ASK_MS);
  return await gate.pass(signal, () => ask(signal));
}

function tooMany(): KubeError {
  return new KubeError("kube-busy", `expected at most ${perHolderMax} tokens of one at a time`);
}

function digestOf(token: string): string {
  return hash("sha256", token, "base64url");
}
