/** What the server says to its signing threads, and what they answer: plain data, as threads want it. */

import type { KeyObject } from "node:crypto";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import type { WorkloadOrder, WorkloadOutcome } from "../../core/issuance/workload.ts";
import { PortcullisError } from "../../core/error.ts";
import type { ServingCertificate, ServingOrder } from "./serving-certificate.ts";

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

/** Each is answered, in their order. */
export interface ToSigner {
  readonly id: number;
  readonly request: SignerRequest;
}

export type SignerRequest =
  | {
      readonly kind: "authority";
      readonly parts: AuthorityParts;
      /** Whether an HSM's module is to begin anew. */
      readonly anew: boolean;
    }
  | {
      readonly kind: "workloads";
      readonly orders: readonly WorkloadOrder[];
      readonly policy: TtlPolicy;
      readonly nowMs: number;
    }
  | { readonly kind: "serving"; readonly order: ServingOrder };

export type FromSigner =
  | { readonly kind: "answer"; readonly id: number; readonly answer: SignerAnswer }
  /** The authority's key cannot be used: the thread's last word. */
  | { readonly kind: "failed"; readonly error: WireError };

export type SignerAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "outcomes"; readonly outcomes: readonly WireOutcome[] }
  | { readonly kind: "serving"; readonly certificate: ServingCertificate }
  | { readonly kind: "refused"; readonly error: WireError };

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

export function encodeOutcome(outcome: WorkloadOutcome): WireOutcome {
  if (outcome.kind === "issued") return outcome;
  return { kind: "refused", error: encodeError(outcome.error) };
}

export function parseOutcome(outcome: WireOutcome): WorkloadOutcome {
  if (outcome.kind === "issued") return outcome;
  return { kind: "refused", error: parseError(outcome.error) };
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
