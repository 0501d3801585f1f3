/**
 * A node's proxy asks for the certificate of a pod on its node (Istio's `ImpersonatedIdentity`). It is granted by the watches alone, and
 * only while they are current: the API server has no question that says who runs where. Why not is for the log.
 */

import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import { PendingCaller } from "../../../../core/identity/pending-caller.ts";
import {
  decideImpersonation,
  type Impersonation,
  type ImpersonationRules,
} from "../../../../core/kube/who/impersonation.ts";
import { CaCallError } from "../../../../edge/rpc/ca-status.ts";
import { placeKey } from "../arrivals.ts";
import type { Kube } from "../kube.ts";
import { Shares } from "../shares.ts";

export interface NodeImpersonationOptions {
  readonly kube: Pick<Kube, "caches" | "places" | "arrivals" | "isCurrent">;
  readonly rules: ImpersonationRules;
  /** The wall clock. */
  readonly nowMs: () => number;
}

const arrivalMs = 1_000;
/** Of one pod: a stolen token shall not keep others from waiting. */
const waitingMax = 64;

export class NodeImpersonation {
  readonly #options: NodeImpersonationOptions;
  /** By the UID of the asking pod. */
  readonly #waiting = new Shares(waitingMax);

  constructor(options: NodeImpersonationOptions) {
    this.#options = options;
  }

  /**
   * @param requested the SPIFFE ID that the caller asks for
   * @returns the caller in whose name a certificate is made
   * @throws CaCallError `impersonation-refused`; AuthnError `identities-unavailable`; PendingCaller
   */
  grant(caller: Caller, requested: string, nowMs: number): Caller {
    const decision = this.#decide(caller, requested, nowMs);
    if (decision.kind !== "unseen") return granted(caller, decision);
    const key = caller.evidence.pod?.uid ?? "";
    const full = (): Error => refused(decision.why);
    const wait = (): Promise<Caller> => this.#wait(caller, requested);
    throw new PendingCaller(() => this.#waiting.run(key, full, wait));
  }

  async #wait(caller: Caller, requested: string): Promise<Caller> {
    const endMs = performance.now() + arrivalMs;
    for (;;) {
      const decision = this.#decide(caller, requested, this.#options.nowMs());
      if (decision.kind !== "unseen") return granted(caller, decision);
      const awaited = awaitedOf(caller, requested, decision);
      const seen = await this.#options.kube.arrivals.next(awaited, endMs - performance.now());
      if (!seen) throw refused(decision.why);
    }
  }

  #decide(caller: Caller, requested: string, nowMs: number): Impersonation {
    const { kube, rules } = this.#options;
    const { evidence } = caller;
    if (evidence.method !== "jwt") throw refused("only a service account may ask for another's");
    const { accounts, pods } = kube.caches;
    const view = { accounts: accounts.cache, pods: pods.cache, places: kube.places };
    const decision = decideImpersonation({ ...caller, evidence }, requested, rules, view, nowMs);
    if (decision.kind === "refused" || kube.isCurrent()) return decision;
    const message = "the watches are behind: who runs on a node is not known";
    throw new AuthnError("identities-unavailable", message, { claimed: caller });
  }
}

/** What would change the decision: the caller's own pod, or one of the account on its node. */
function awaitedOf(
  { evidence }: Caller,
  requested: string,
  { wants }: Extract<Impersonation, { kind: "unseen" }>,
): string {
  return wants === undefined ? (evidence.pod?.uid ?? requested) : placeKey(wants);
}

function granted(caller: Caller, decision: Exclude<Impersonation, { kind: "unseen" }>): Caller {
  const { evidence } = caller;
  const { pod } = evidence;
  if (decision.kind === "refused") throw refused(decision.why);
  if (evidence.method !== "jwt" || pod === undefined) throw refused("its token is of no pod");
  const { id, namespace, serviceAccount, node } = decision;
  return Object.freeze({
    id,
    namespace,
    serviceAccount,
    expiresAtMs: caller.expiresAtMs,
    evidence: Object.freeze({
      method: "node",
      by: caller.id.toString(),
      askedBy: pod,
      onNode: node,
      issuer: evidence.issuer,
      tokenId: evidence.tokenId,
    }),
  });
}

function refused(why: string): CaCallError {
  return new CaCallError("impersonation-refused", why);
}
