/** One whom a strict port would refuse, as it is shown and as waivers name it. */

import type { Holder } from "./address-history.ts";
import type { ConnectionKind } from "./connection.ts";

export type CallerHolder =
  | Holder
  /** Its certificate names it. */
  | { readonly kind: "identity" }
  /** An agent had no room for their names. */
  | { readonly kind: "others" }
  /** Not seen: the configuration has it send plaintext. */
  | { readonly kind: "configuration"; readonly why: string };

export interface Caller {
  /** What a waiver names: NAMESPACE/NAME, a SPIFFE ID, an address where nobody is known to have held it alone, or `others`. */
  readonly name: string;
  readonly holder: CallerHolder;
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly addresses: readonly string[];
  /** NAMESPACE/NAME:PORT, sorted. */
  readonly called: readonly string[];
  /** Undefined where it was not seen. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  readonly count: number;
  /** The newest word of it about itself. */
  readonly claim: string;
  readonly isWaived: boolean;
}
