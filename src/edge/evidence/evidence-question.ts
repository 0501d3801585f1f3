/** What can be asked of `evidence.db`, and what the answers are. Times are Unix milliseconds. */

import type { AddressSpan } from "../../core/evidence/address-history.ts";
import type { Member, MemberSeen, MemberSpan } from "../../core/evidence/member.ts";

/** Its key is its own: what else is asked of it, is asked by this. */
export interface StoredMember extends Member {
  /** Key of the proxy, as policy knows it. */
  readonly proxy: string;
  readonly spiffeId: string;
  /** Those of its time. */
  readonly labels: ReadonlyMap<string, string>;
  /**
   * Of an earlier life of a proxy that the selector takes as it is now: the labels of that one. It is among the members by either: who
   * called it calls the proxy that is asked for. Undefined for all others.
   */
  readonly labelsNow?: ReadonlyMap<string, string> | undefined;
}

/**
 * Summed up from the hour on in which the window begins: rows are kept by the hour, so what was before it in that hour is among the
 * count, and `firstMs` may lie up to an hour (or the length of a connection) before the window.
 */
export interface StoredSeen extends MemberSeen {
  /** When it was seen for the first time at all, as far as is kept. */
  readonly everFirstMs: number;
}

/** Of a proxy's port: how it is called. */
export interface PortSummary {
  /** The proxy's, as policy knows it. */
  readonly proxy: string;
  readonly port: number;
  /** Accepted, and ended. */
  readonly mtls: number;
  /** Accepted, and open when its agent told last; 0 where it did not say. */
  readonly openMeshed: number;
  /** All others, and what was refused. */
  readonly others: number;
  /** Of those: what was refused, whatever it was. */
  readonly refused: number;
  /** Distinct sources of those. */
  readonly otherSources: number;
}

export type EvidenceQuestion =
  /** Those that were there at any time since then, and that the selector selects; with the earlier lives of those that are there. */
  | {
      readonly kind: "members";
      readonly namespace: string;
      readonly selector: ReadonlyMap<string, string>;
      readonly sinceMs: number;
    }
  /** Who was seen since then. @param ports undefined: all */
  | {
      readonly kind: "seen";
      readonly members: readonly string[];
      readonly ports: readonly number[] | undefined;
      readonly sinceMs: number;
      readonly isRefusedOnly: boolean;
      /** What was accepted with mTLS is only counted: one row for each port, of no source. */
      readonly isMtlsSummed?: boolean;
    }
  | { readonly kind: "spans"; readonly members: readonly string[]; readonly sinceMs: number }
  | { readonly kind: "holders"; readonly addresses: readonly string[]; readonly sinceMs: number }
  /** @param namespace undefined: all */
  | {
      readonly kind: "summary";
      readonly namespace: string | undefined;
      readonly sinceMs: number;
    };

export interface EvidenceAnswers {
  readonly members: readonly StoredMember[];
  readonly seen: readonly StoredSeen[];
  readonly spans: readonly MemberSpan[];
  readonly holders: readonly AddressSpan[];
  readonly summary: readonly PortSummary[];
}

export type EvidenceAnswer = EvidenceAnswers[keyof EvidenceAnswers];
