/** What the server says to its signing threads, and what they answer: plain data, as threads want it. */

import type { KeyObject } from "node:crypto";
import type { TtlPolicy } from "../../../core/issuance/validity.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../../core/issuance/prepare.ts";
import type { SignOutcome } from "../../../core/issuance/sign-prepared.ts";
import type { WorkloadOrder } from "../../../core/issuance/workload.ts";
import { PortcullisError } from "../../../core/error.ts";

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
      readonly kind: "prepare";
      readonly orders: readonly WorkloadOrder[];
      readonly policy: TtlPolicy;
      readonly nowMs: number;
    }
  | { readonly kind: "sign"; readonly prepared: readonly PreparedLeaf[] };

export type FromSigner =
  | { readonly kind: "answer"; readonly id: number; readonly answer: SignerAnswer }
  /** The authority's key cannot be used: the thread's last word. */
  | { readonly kind: "failed"; readonly error: WireError };

export type SignerAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "prepared"; readonly outcomes: readonly Wire<PrepareOutcome>[] }
  | { readonly kind: "signed"; readonly outcomes: readonly Wire<SignOutcome>[] };

interface Refused {
  readonly kind: "refused";
  readonly error: unknown;
}

/** An outcome whose error can be sent. */
export type Wire<Outcome extends { readonly kind: string }> =
  | Exclude<Outcome, Refused>
  | (Omit<Extract<Outcome, Refused>, "error"> & { readonly error: WireError });

/** A structured clone keeps of an error neither its class nor its code. */
export interface WireError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

export function encodePrepared(outcome: PrepareOutcome): Wire<PrepareOutcome> {
  return outcome.kind === "prepared" ? outcome : { ...outcome, error: encodeError(outcome.error) };
}

export function parsePrepared(outcome: Wire<PrepareOutcome>): PrepareOutcome {
  return outcome.kind === "prepared" ? outcome : { ...outcome, error: parseError(outcome.error) };
}

export function encodeSigned(outcome: SignOutcome): Wire<SignOutcome> {
  return outcome.kind === "issued" ? outcome : { ...outcome, error: encodeError(outcome.error) };
}

export function parseSigned(outcome: Wire<SignOutcome>): SignOutcome {
  return outcome.kind === "issued" ? outcome : { ...outcome, error: parseError(outcome.error) };
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
