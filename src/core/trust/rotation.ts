/**
 * The rotation of roots as values: what may be asked of a trust state, what is known when it is asked, and what comes of it.
 * `rotation-machine.ts` decides.
 */

import type { Gate } from "../roll/laggard.ts";
import type { CertificateKeyId } from "./authority-keys.ts";
import type { AuthorityRecord, NewAuthority, TrustState } from "./trust-state.ts";

export type { NewAuthority } from "./trust-state.ts";

export type RotationCommand =
  | { readonly kind: "prepare"; readonly authority: NewAuthority }
  | { readonly kind: "activate" }
  | { readonly kind: "rollback" }
  | { readonly kind: "retire" }
  | { readonly kind: "abort" }
  /** Its key has leaked: nobody may trust it any more, whatever that breaks. */
  | {
      readonly kind: "compromise";
      readonly authorityId: string;
      /** What signs from now on, where no other authority can: none is there, or its end is near. */
      readonly replacement?: NewAuthority;
      /** The other authority, whose key cannot be used: it stays what it is, and the replacement signs. */
      readonly keylessId?: string;
    }
  /** Evidence, and no command: everybody holds the present bundle, so that nobody trusts what has been retired. */
  | { readonly kind: "confirm" };

/** Gates are asked for only where they matter. Of one moment: nothing may happen between the answer and the change of state. */
export interface RotationEvidence {
  /** Whether every verifier holds the present bundle; for `activate`, and takes what it is to be shown next. */
  readonly verifiers: (step: "activate" | "confirm") => Gate;
  /** Whether nothing that is unexpired hangs on this authority's root. */
  readonly holders: (authority: AuthorityRecord) => Gate;
  /** Roots that the operator's files named when they were read last: what they name cannot be withdrawn. */
  readonly filedRoots: readonly Uint8Array[];
  /** When the first certificate on an authority's way to its root expires, that one included. */
  readonly endsAtMs: (authority: NewAuthority) => number;
  readonly keyIdOf: CertificateKeyId;
  /** How long a certificate of a workload may be needed, with the difference of clocks. */
  readonly lifeMs: {
    /** Of one whose request names no time. */
    readonly usual: number;
    readonly longest: number;
  };
}

export type RotationEffect =
  /** The bundle is another one: everybody gets it. */
  | { readonly kind: "publish-bundle" }
  /** Another authority signs from now on, the server's own certificates first. */
  | { readonly kind: "sign-with"; readonly authorityId: string }
  /** What was signed by others is to be renewed, at a pace. */
  | { readonly kind: "reissue" }
  /** In the transaction of the change itself. What is in the store of it; an HSM and files are the operator's. */
  | { readonly kind: "destroy-key"; readonly authorityId: string };

export type RotationRefusalCode =
  | "rotation-in-progress"
  | "nothing-prepared"
  | "nothing-to-roll-back"
  | "nothing-to-retire"
  | "authority-known"
  | "authority-unknown"
  | "verifiers-lagging"
  | "holders-left"
  | "root-in-files"
  | "replacement-needed"
  | "key-missing"
  /** As `key-missing`; not to be tried again before something has changed: a token locks itself after a few. */
  | "key-pin-rejected"
  | "authority-expiring"
  /** Another command was faster. */
  | "trust-changed"
  | "nothing-to-confirm"
  /** Before anything changes: a rotation that has begun must be able to end. */
  | "trust-state-too-large";

export interface RotationRefusal {
  readonly code: RotationRefusalCode;
  readonly message: string;
  /** The next command, or what to do. */
  readonly hint: string;
  /** Whose evidence is missing. */
  readonly gate?: Extract<Gate, { kind: "closed" }>;
}

export type RotationDecision =
  | {
      readonly kind: "done";
      readonly state: TrustState;
      readonly effects: readonly RotationEffect[];
    }
  | { readonly kind: "refused"; readonly refusal: RotationRefusal };
