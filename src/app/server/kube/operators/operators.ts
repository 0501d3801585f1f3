/**
 * Operators over the network: by a token of the cluster that is for the admin API and nothing else, and by what the cluster's RBAC
 * gives them. What the API server has said counts for 10 s; while it cannot be asked, nobody is let in. Of tokens that we can verify
 * ourselves, it is asked about no other.
 */

import { permissionsFor, type AskedContent } from "../../../../core/kube/who/admin-permissions.ts";
import {
  missingPermission,
  type ReviewedOperator,
} from "../../../../core/kube/who/reviewed-operator.ts";
import { verifiedOperator } from "../../../../core/operator.ts";
import { extractBearer } from "../../../../edge/authn/bearer.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { AdminDoor, Admitted } from "../../../../edge/rpc/admin-door.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { OperatorError, operatorRefusal } from "./operator-error.ts";
import { OperatorLog } from "./operator-log.ts";
import {
  ASK_MS,
  OperatorQuestions,
  type OperatorQuestionsOptions,
  type OperatorReview,
} from "./operator-questions.ts";
import { assertForAdmin } from "./operator-token.ts";

export interface OperatorsOptions extends Pick<OperatorQuestionsOptions, "mayDo" | "monotonicMs"> {
  /** Of the admin API alone: no workload's. */
  readonly audience: string;
  /**
   * By the cluster's own keys.
   * @returns whose it is, by UID; undefined for the token of another issuer, which the API server alone may know
   * @throws AuthnError
   */
  readonly verify: (token: string, nowMs: number) => Promise<string | undefined>;
  /** Rejects with KubeError, or by its signal. */
  readonly review: (
    token: string,
    audience: string,
    signal: AbortSignal,
  ) => Promise<OperatorReview>;
  readonly log: Logger;
  readonly nowMs: () => number;
}

export class Operators implements AdminDoor {
  readonly refusalOf: AdminDoor["refusalOf"] = operatorRefusal;
  readonly #options: OperatorsOptions;
  readonly #questions: OperatorQuestions;
  readonly #log: OperatorLog;

  constructor(options: OperatorsOptions) {
    this.#options = options;
    const { log, audience, mayDo, monotonicMs } = options;
    this.#log = new OperatorLog(log, monotonicMs);
    const review: OperatorQuestionsOptions["review"] = (token, signal) =>
      options.review(token, audience, signal);
    this.#questions = new OperatorQuestions({ review, mayDo, monotonicMs });
  }

  /** @throws AuthnError, OperatorError */
  readonly enter = async (authorization: readonly string[]): Promise<Admitted> => {
    const token = extractBearer(authorization);
    const { verify, audience, nowMs } = this.#options;
    assertForAdmin(token, audience, nowMs());
    const holder = await verify(token, nowMs());
    const reviewed = await this.#ask(() => this.#questions.who(token, holder));
    if (reviewed.kind === "refused") {
      this.#log.refused(reviewed.why);
      throw new OperatorError("operator-token", "the cluster does not take this token", {
        hint: "get another one: it may have expired, or its service account is gone",
      });
    }
    const operator = verifiedOperator(reviewed.username);
    if (operator === undefined) {
      const message = "expected a user name of at most 243 printable octets, got another one";
      throw new OperatorError("operator-name", message);
    }
    return {
      operator,
      allow: (...asked) => this.#allow(reviewed, operator, token, asked),
    };
  };

  async #allow(
    reviewed: ReviewedOperator,
    operator: string,
    token: string,
    [method, content]: readonly [string, AskedContent],
  ): Promise<void> {
    const permissions = permissionsFor(method, content);
    if (permissions.length === 0) {
      throw new OperatorError("operator-request", "expected what is to be done, got nothing");
    }
    for (const permission of permissions) {
      if (await this.#ask(() => this.#questions.may(token, reviewed, permission))) continue;
      this.#log.forbidden({ operator, permissions: [permission], method });
      const { message, hint } = missingPermission(reviewed, permission);
      throw new OperatorError("operator-forbidden", message, { hint });
    }
    this.#log.admitted({ operator, permissions, method });
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (cause) {
      const isKube = cause instanceof KubeError;
      this.#log.unknown(cause);
      const why = isKube ? cause.code : `no answer in ${ASK_MS / 1_000} s`;
      const message = `the API server cannot be asked who you are (${why})`;
      throw new OperatorError("operator-unknown", message, {
        cause,
        hint: "try again; on the server's machine its Unix socket is served all the same",
      });
    }
  }
}
