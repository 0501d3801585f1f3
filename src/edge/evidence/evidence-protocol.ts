/** What the server says to the thread of `evidence.db`, and what it answers: one answer to each, in order. */

import type { AddressSpan } from "../../core/evidence/address-history.ts";
import type { ChangeOutcome, EvidenceChange } from "./evidence-change.ts";
import type { SetAside } from "./evidence-database.ts";
import { EvidenceStoreError, type EvidenceStoreErrorCode } from "./evidence-error.ts";
import type { EvidenceAnswer, EvidenceQuestion, StoredMember } from "./evidence-question.ts";

export interface EvidenceThreadData {
  readonly path: string;
  readonly nowMs: number;
}

export type ToEvidenceThread =
  | { readonly kind: "write"; readonly changes: readonly EvidenceChange[]; readonly atMs: number }
  | { readonly kind: "ask"; readonly question: EvidenceQuestion }
  | { readonly kind: "prune"; readonly beforeMs: number }
  | { readonly kind: "close" };

export type FromEvidenceThread =
  | ({ readonly kind: "opened" } & OpenedFile)
  /** An outcome for each change; an error where that one alone is wrong. */
  | {
      readonly kind: "written";
      readonly outcomes: readonly (ChangeOutcome | WireError)[];
      readonly bounded: readonly BoundedIdentity[];
    }
  | { readonly kind: "answered"; readonly answer: EvidenceAnswer }
  | { readonly kind: "pruned"; readonly hasMore: boolean }
  | { readonly kind: "failed"; readonly error: WireError }
  | { readonly kind: "closed" };

/** One that takes more of the file than is for one: nothing is SAFE where that was not kept. */
export interface BoundedIdentity {
  readonly spiffeId: string;
  /** It has used up its share, or its proxies have had more lives than are kept. */
  readonly bound: "share" | "lives";
}

/** As the last life of the server has left it. */
export interface OpenedFile {
  readonly aside: SetAside | undefined;
  /** Nothing is known of before. */
  readonly createdMs: number;
  /** One was set aside before this one, now or in another life of the server. */
  readonly isAnew: boolean;
  /** When the server was last seen at work. */
  readonly knownMs: number;
  /** Whom nobody has seen going, with their agents. */
  readonly members: readonly OpenMember[];
  /** That are held still, as far as was known. */
  readonly addresses: readonly AddressSpan[];
}

export interface OpenMember extends StoredMember {
  /** Key of its agent. */
  readonly reporter: string;
}

/** A structured clone keeps of an error neither its class nor its code. */
export interface WireError {
  readonly code: EvidenceStoreErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

export function encodeError(error: unknown): WireError {
  if (error instanceof EvidenceStoreError) {
    const { code, message, hint } = error;
    return { code, message, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "evidence-unreadable", message, hint: undefined };
}

export function parseError({ code, message, hint }: WireError): EvidenceStoreError {
  return new EvidenceStoreError(code, message, hint === undefined ? {} : { hint });
}
