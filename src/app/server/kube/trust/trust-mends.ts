/** What the log says of the Secret of the trust, each thing once, and how often what others write there is put right. */

import { rewriteLimits, Rewrites } from "../../../../core/kube/writes/rewrites.ts";
import type { Problem } from "../../../../core/problem.ts";
import type { Stamp } from "../../../../core/kube/trust/trust-judgement.ts";
import type { FoundSecret } from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import type { SecretPlace } from "./trust-secret-error.ts";

export interface TrustMendsOptions {
  readonly place: SecretPlace;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension. */
  readonly monotonicMs: () => number;
}

/** There is one. */
const key = "";
/** A lost volume must not find an old one there for long. */
const limits = { ...rewriteLimits, slowMostMs: rewriteLimits.slowMs };
const tooLarge: Problem = {
  detail: "the deny list is too large for a Secret: a lost volume would lose it, and the trust",
  hint: "remove denials that are not needed: portcullis deny list",
};
const contestedHint = "leave it to this server alone: a tool that keeps it must not be given it";

export class TrustMends {
  readonly #options: TrustMendsOptions;
  readonly #rewrites = new Rewrites(limits);
  readonly #secret: string;
  /** Who has written it instead; "" for nobody known. */
  #rival = "";
  #lacksDenials = false;
  #said = "";

  constructor(options: TrustMendsOptions) {
    this.#options = options;
    this.#secret = `${options.place.namespace}/${options.place.name}`;
  }

  /** What it cannot have, or who else writes it; undefined for nothing. */
  get shortfall(): Problem | undefined {
    if (this.#lacksDenials) return tooLarge;
    if (!this.isContested) return undefined;
    return { detail: `${this.#rival || "somebody else"} writes it, too`, hint: contestedHint };
  }

  get lacksDenials(): boolean {
    return this.#lacksDenials;
  }

  get isContested(): boolean {
    return this.#rewrites.isContested(key, this.#options.monotonicMs());
  }

  /** Whether what a hand has done is left for now. What is new is never delayed. */
  isPaused(wanted: Stamp): boolean {
    return this.#rewrites.waitMs(key, contentOf(wanted), this.#options.monotonicMs()) > 0;
  }

  /** @param found what it had before; undefined: it was deleted. @param isMend whether a hand had been at it */
  wrote(wanted: Stamp, found: FoundSecret | undefined, isMend: boolean): void {
    const { log, monotonicMs, nowMs } = this.#options;
    const { manager = "" } = found ?? {};
    if (isMend && manager !== "") this.#rival = manager;
    const isContested = this.#rewrites.wrote(key, contentOf(wanted), monotonicMs());
    if (!isMend) return;
    const state = found === undefined ? "deleted" : "edited";
    const by = found === undefined ? {} : { manager };
    const fields = { secret: this.#secret, state, ...by, timeMs: nowMs() };
    const hint = "who writes there besides this server? it has the keys of the mesh";
    log.error({ event: "trust-secret-mended", ...fields, hint }, "the Secret is put back");
    if (isContested) this.#sayContested();
  }

  lacks(isTooLarge: boolean): void {
    const isNews = isTooLarge && !this.#lacksDenials;
    this.#lacksDenials = isTooLarge;
    if (!isNews) return;
    const { detail, hint } = tooLarge;
    const fields = { event: "trust-secret-lacks-denials", secret: this.#secret, hint };
    this.#options.log.error(fields, detail);
  }

  failed(error: unknown): void {
    const fields = failureFields(error);
    if (this.#said === fields.detail) return;
    this.#said = fields.detail;
    this.#options.log.error({ event: "trust-secret-failed", ...fields }, "tried again");
  }

  good(): void {
    if (this.#said === "") return;
    this.#said = "";
    this.#options.log.info({ event: "trust-secret-good" }, "the Secret has the trust again");
  }

  #sayContested(): void {
    const fields = { secret: this.#secret, manager: this.#rival };
    this.#options.log.error(
      { event: "trust-secret-contested", ...fields, hint: contestedHint },
      "it is put back seldom from now on: a lost volume may lose what is newer than what is there",
    );
  }
}

function contentOf({ epoch, digest }: Stamp): string {
  return `${epoch} ${digest}`;
}
