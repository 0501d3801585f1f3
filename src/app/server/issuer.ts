/**
 * From callers who have been let in to certificates: prepared, recorded, signed, recorded, in that order, all of a group
 * together. What fails, fails for its own caller, unless the log cannot be written: then nobody gets anything.
 */

import { IssuanceError } from "../../core/issuance/issuance-error.ts";
import { replyChain, type Authority } from "../../core/issuance/authority.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../core/issuance/prepare.ts";
import type { SignOutcome } from "../../core/issuance/sign-prepared.ts";
import type { IssuedCertificate, WorkloadOrder } from "../../core/issuance/workload.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { evidenceOf } from "../../core/log/caller-evidence.ts";
import type { Intent, Ledger } from "./log/ledger.ts";

/** Of a caller who has been authenticated. */
export interface Order {
  readonly caller: Caller;
  readonly requestId: string;
  /** Where the call came from. */
  readonly address: string;
  /** The id of the agent that asked, as it said; "" for none. */
  readonly agent: string;
  /** Whether who asks is believed still, as far as that hangs on the connection. @throws PeerError, DeniedError */
  readonly assertPeer?: () => void;
  readonly csrPem: string;
  readonly requestedTtlSeconds: bigint;
}

export type OrderOutcome =
  | {
      readonly kind: "issued";
      readonly certificate: IssuedCertificate;
      readonly chain: readonly string[];
    }
  | { readonly kind: "refused"; readonly error: unknown };

interface Prepared {
  readonly kind: "prepared";
  readonly order: Order;
  readonly leaf: PreparedLeaf;
}

type NotSigned = Extract<SignOutcome, { kind: "refused" }>;

type Judged = Prepared | Extract<OrderOutcome, { kind: "refused" }>;

type MaybePromise<T> = T | Promise<T>;

export interface IssuerDependencies {
  readonly authority: () => Authority;
  readonly prepare: (
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ) => MaybePromise<readonly PrepareOutcome[]>;
  readonly sign: (prepared: readonly PreparedLeaf[]) => MaybePromise<readonly SignOutcome[]>;
  readonly ledger: Ledger;
  /** @throws DeniedError */
  readonly assertNotDenied: (caller: Caller) => void;
  /** @throws AuthnError, CaCallError for a caller of a cluster who is there no more */
  readonly assertNotGone: (caller: Caller) => void;
  /** Bytes of ours that fail a lint are not signed: an alarm. */
  readonly onUnfit: (identity: string, error: unknown, tbs: Uint8Array) => void;
  readonly randomSerial: () => Uint8Array;
}

export class Issuer {
  readonly #dependencies: IssuerDependencies;

  constructor(dependencies: IssuerDependencies) {
    this.#dependencies = dependencies;
  }

  /** One outcome for each, in their order. @throws what keeps all of them from being recorded */
  async issue(orders: readonly Order[], nowMs: number): Promise<readonly OrderOutcome[]> {
    const { authority, prepare, sign, ledger } = this.#dependencies;
    const issuing = authority();
    const prepared = await prepare(
      orders.map((order) => this.#workloadOrder(order)),
      nowMs,
    );
    const outcomes = orders.map((order, index) => this.#judge(order, prepared[index]));
    const leaves = outcomes.filter((outcome) => outcome.kind === "prepared");
    const intents = leaves.map(({ order, leaf }) => intentOf(order, leaf, issuing));
    const signing = () => sign(leaves.map(({ leaf }) => leaf));
    const signed = (await ledger.record(intents, signing)).values();
    return outcomes.map((outcome): OrderOutcome => {
      if (outcome.kind === "refused") return outcome;
      const result = signed.next().value;
      if (result?.kind !== "issued") return this.#notSigned(outcome, result);
      const { certificate } = result;
      return { kind: "issued", certificate, chain: replyChain(issuing, certificate.der) };
    });
  }

  /** Who was denied or distrusted while it waited, or went, gets nothing any more. */
  #judge(order: Order, outcome: PrepareOutcome | undefined): Judged {
    const { assertNotDenied, assertNotGone, onUnfit } = this.#dependencies;
    if (outcome?.kind !== "prepared") {
      const error = outcome?.error;
      if (outcome?.unfit !== undefined) onUnfit(order.caller.id.toString(), error, outcome.unfit);
      return { kind: "refused", error };
    }
    try {
      assertNotDenied(order.caller);
      assertNotGone(order.caller);
      order.assertPeer?.();
    } catch (error) {
      return { kind: "refused", error };
    }
    const { kind, ...leaf } = outcome;
    return { kind, order, leaf };
  }

  #notSigned({ order, leaf }: Prepared, result: NotSigned | undefined): OrderOutcome {
    const error = result?.error;
    const isCheck = error instanceof IssuanceError && error.code === "certificate-check-failed";
    // What came back from the signer is not what was prepared: the worst that can happen to a CA.
    if (isCheck && result?.outcome === "unknown") {
      this.#dependencies.onUnfit(order.caller.id.toString(), error, leaf.tbs);
    }
    return { kind: "refused", error };
  }

  #workloadOrder({ caller, csrPem, requestedTtlSeconds }: Order): WorkloadOrder {
    const { certificateNotAfterMs } = caller;
    return {
      spiffeId: caller.id.toString(),
      csrPem,
      requestedTtlSeconds,
      serial: this.#dependencies.randomSerial(),
      ...(certificateNotAfterMs !== undefined && { notAfterMaxMs: certificateNotAfterMs }),
    };
  }
}

function intentOf(
  { caller, requestId, address, agent }: Order,
  prepared: PreparedLeaf,
  { signer, rootSha256 }: Authority,
): Intent {
  return {
    artifact: "workload",
    requestId,
    identity: caller.id.toString(),
    authority: signer.id,
    root: rootSha256,
    evidence: evidenceOf(caller, address),
    agent,
    prepared,
  };
}
