/**
 * From callers who have been let in to certificates: prepared, recorded, signed, recorded, in that order, all of a group
 * together. What fails, fails for its own caller, unless the log cannot be written: then nobody gets anything.
 */

import { replyChain, type Authority } from "../../core/issuance/authority.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../core/issuance/prepare.ts";
import type { SignOutcome } from "../../core/issuance/sign-prepared.ts";
import type { IssuedCertificate, WorkloadOrder } from "../../core/issuance/workload.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { evidenceOf } from "../../core/log/caller-evidence.ts";
import type { Intent, Ledger } from "./ledger.ts";

/** Of a caller who has been authenticated. */
export interface Order {
  readonly caller: Caller;
  readonly requestId: string;
  /** Where the call came from. */
  readonly address: string;
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

type MaybePromise<T> = T | Promise<T>;

export interface IssuerDependencies {
  readonly authority: () => Authority;
  readonly prepare: (
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ) => MaybePromise<readonly PrepareOutcome[]>;
  readonly sign: (prepared: readonly PreparedLeaf[]) => MaybePromise<readonly SignOutcome[]>;
  readonly ledger: Ledger;
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
    const { authority, prepare, sign, ledger, onUnfit } = this.#dependencies;
    const issuing = authority();
    const prepared = await prepare(
      orders.map((order) => this.#workloadOrder(order)),
      nowMs,
    );
    const leaves: PreparedLeaf[] = [];
    const intents: Intent[] = [];
    for (const [index, outcome] of prepared.entries()) {
      const order = orders[index];
      if (order === undefined) continue;
      if (outcome.kind === "refused") {
        const { error, unfit } = outcome;
        if (unfit !== undefined) onUnfit(order.caller.id.toString(), error, unfit);
        continue;
      }
      const { kind: _, ...leaf } = outcome;
      leaves.push(leaf);
      intents.push(intentOf(order, leaf, issuing.signer.id));
    }
    const signed = (await ledger.record(intents, () => sign(leaves))).values();
    return prepared.map((outcome): OrderOutcome => {
      if (outcome.kind === "refused") return outcome;
      const result = signed.next().value;
      if (result?.kind !== "issued") return { kind: "refused", error: result?.error };
      const { certificate } = result;
      return { kind: "issued", certificate, chain: replyChain(issuing, certificate.der) };
    });
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
  { caller, requestId, address }: Order,
  prepared: PreparedLeaf,
  authority: string,
): Intent {
  return {
    artifact: "workload",
    requestId,
    identity: caller.id.toString(),
    authority,
    evidence: evidenceOf(caller, address),
    prepared,
  };
}
