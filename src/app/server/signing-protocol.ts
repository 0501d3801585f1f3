/** What the server says to its signing threads, and what they answer: plain data, as threads want it. */

import type { KeyObject } from "node:crypto";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import type { WorkloadOrder, WorkloadOutcome } from "../../core/issuance/workload.ts";
import { PortcullisError } from "../../core/error.ts";

/** Where an authority's key is. A key in an HSM is opened by each thread for itself. */
export type KeySource =
  | { readonly kind: "software"; readonly location: "store" | "files"; readonly key: KeyObject }
  | { readonly kind: "pkcs11"; readonly uri: string };

/** From which a thread builds the authority that it signs for. */
export interface AuthorityParts {
  readonly source: KeySource;
  readonly chain: readonly Uint8Array[];
  readonly root: Uint8Array;
}

export type ToSigner =
  | { readonly kind: "authority"; readonly parts: AuthorityParts }
  | {
      readonly kind: "orders";
      readonly id: number;
      readonly orders: readonly WorkloadOrder[];
      readonly policy: TtlPolicy;
      readonly nowMs: number;
    };

export type FromSigner =
  | { readonly kind: "ready" }
  /** The authority's key cannot be used. */
  | { readonly kind: "failed"; readonly error: WireError }
  | { readonly kind: "outcomes"; readonly id: number; readonly outcomes: readonly WireOutcome[] };

export type WireOutcome =
  | Extract<WorkloadOutcome, { kind: "issued" }>
  | { readonly kind: "refused"; readonly error: WireError };

/** A structured clone keeps of an error neither its class nor its code. */
export interface WireError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

export function encodeError(error: unknown): WireError {
  const { name, message } = error instanceof Error ? error : new Error("not an error");
  const [code, hint] = error instanceof PortcullisError ? [error.code, error.hint] : ["internal"];
  return { name, code: String(code), message, hint };
}

export function parseError({ name, code, message, hint }: WireError): Error {
  if (code === "internal") return new Error(message);
  const error = new PortcullisError(code, message, hint === undefined ? {} : { hint });
  error.name = name;
  return error;
}
