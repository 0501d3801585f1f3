/**
 * The door of a cluster's service accounts. What the token says by itself comes first: signature, issuer, audience, time. Then whether
 * what it is bound to exists: at once by the watches while they are current, else by asking the API server. What the watches know to be
 * gone is gone, however far behind they are.
 */

import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import type { ClaimedCaller } from "../../../../core/identity/kubernetes-review-caller.ts";
import { PendingCaller } from "../../../../core/identity/pending-caller.ts";
import type { TokenCheck } from "../../../../core/kube/who/effective-mode.ts";
import type { Existence } from "../../../../core/kube/who/existence.ts";
import type { IssuerTokens } from "../../../../edge/authn/token-authenticator.ts";
import type { Kube } from "../kube.ts";
import { isClaimed, knownExistence } from "./gone-caller.ts";
import type { PodAddressCheck } from "./pod-address-check.ts";
import type { TokenReviews } from "./token-reviews.ts";

export interface KubeDoorOptions {
  /** What the token says by itself. */
  readonly tokens: IssuerTokens;
  readonly kube: Pick<Kube, "caches" | "arrivals" | "mode">;
  readonly reviews: TokenReviews;
  readonly address: Pick<PodAddressCheck, "passes" | "assertNotElsewhere" | "pass">;
  /** The wall clock. */
  readonly nowMs: () => number;
}

/** What is new in the cluster is known here within milliseconds. */
const arrivalMs = 1_000;

export class KubeDoor {
  readonly #options: KubeDoorOptions;

  constructor(options: KubeDoorOptions) {
    this.#options = options;
  }

  /**
   * @param peer where the call came from; undefined where that is not the caller's own address
   * @throws AuthnError; PendingCaller where somebody has to be asked
   */
  authenticate(token: string, nowMs: number, peer?: string): Caller {
    const { tokens, kube, reviews, address } = this.#options;
    const claimed = claimedOf(tokens.authenticate(token, nowMs));
    const existence = this.#existence(claimed, nowMs);
    const mode = kube.mode();
    const isSeen = mode === "watched" && existence.kind === "exists";
    const known = isSeen ? claimed : reviews.known(token);
    if (known === undefined) {
      address.assertNotElsewhere(claimed, peer);
      throw new PendingCaller(() => this.#ask(token, claimed, mode, peer));
    }
    if (address.passes(claimed, peer)) return known;
    throw new PendingCaller(async () => {
      await address.pass(claimed, peer);
      this.#existence(claimed, this.#options.nowMs());
      return known;
    });
  }

  /** @returns whether it is worth to authenticate again @throws the reason of `signal` */
  refreshKeys(signal: AbortSignal): Promise<boolean> {
    return this.#options.tokens.refreshKeys(signal);
  }

  /** @throws AuthnError for what is known to be gone */
  #existence(claimed: ClaimedCaller, nowMs: number): Existence {
    const existence = knownExistence(claimed, this.#options.kube, nowMs);
    if (existence.kind === "unbound") {
      throw new AuthnError("token-unbound", "expected a token that is bound by UID", {
        claimed,
        hint: "use a projected volume or TokenRequest, and no secret",
      });
    }
    return existence;
  }

  /** Together with all who ask for the same token; where each calls from is its own matter. @throws AuthnError */
  async #ask(
    token: string,
    claimed: ClaimedCaller,
    mode: TokenCheck,
    peer: string | undefined,
  ): Promise<Caller> {
    const { reviews, address, nowMs } = this.#options;
    const watch = mode === "watched" ? () => this.#arrival(claimed) : undefined;
    const caller = await reviews.review(token, claimed, watch);
    await address.pass(claimed, peer);
    this.#existence(claimed, nowMs());
    return caller;
  }

  /** @returns undefined where the watch has not told of it in time @throws AuthnError */
  async #arrival(claimed: ClaimedCaller): Promise<Caller | undefined> {
    const { kube, nowMs } = this.#options;
    const endMs = performance.now() + arrivalMs;
    for (;;) {
      const existence = this.#existence(claimed, nowMs());
      // Meanwhile the watches may have fallen behind.
      if (kube.mode() !== "watched") return undefined;
      if (existence.kind === "exists") return claimed;
      const uid = existence.kind === "unknown" && awaitedUid(claimed, existence.what);
      if (uid === false || uid === undefined) return undefined;
      if (!(await kube.arrivals.next(uid, endMs - performance.now()))) return undefined;
    }
  }
}

/** Undefined for a node: nobody here watches them. */
function awaitedUid(
  { evidence }: ClaimedCaller,
  what: "service account" | "pod" | "node",
): string | undefined {
  if (what === "node") return undefined;
  return what === "pod" ? evidence.pod?.uid : evidence.serviceAccountUid;
}

function claimedOf(caller: Caller): ClaimedCaller {
  if (isClaimed(caller)) return caller;
  throw new AuthnError("token-method", "expected a service account's token");
}
