/** What `explain` says, as values whose JSON is for programs: the names of the fields are part of the compatibility promise. */

import type { Because } from "./decision.ts";
import type { ServerDecision, ServerMode } from "./server-mode.ts";

/** Type aliases, not interfaces: only they are JSON to the compiler. */
export type BecauseValue = {
  /** The three null where no object has said it. */
  readonly kind: string | null;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly rule: string;
};

export type OverrodeValue = BecauseValue & { readonly mode: ServerMode };

export type PortValue = {
  readonly mode: ServerMode;
  readonly because: BecauseValue;
  /** From the widest scope on. */
  readonly overrode: readonly OverrodeValue[];
  readonly ignored: readonly BecauseValue[];
  /** The flip that holds it back; absent where none does. */
  readonly flip?: number;
};

export function becauseValue({ ref, rule }: Because<string>): BecauseValue {
  const { namespace = null } = ref ?? {};
  const { kind = null, name = null } = ref?.standsFor ?? ref ?? {};
  return { kind, namespace, name, rule };
}

export function portValue(decision: ServerDecision): PortValue {
  const { mode, because, overrode, ignored, flip } = decision;
  return {
    mode,
    because: becauseValue(because),
    overrode: overrode.map((each) => ({ ...becauseValue(each), mode: each.mode })),
    ignored: ignored.map(becauseValue),
    ...(flip !== undefined && { flip }),
  };
}
