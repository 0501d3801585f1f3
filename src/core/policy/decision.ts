/** Why something was decided: which object, by which of its rules, and what it was stronger than. */

import type { ResourceRef } from "../resources/resource.ts";

export interface Because<Rule extends string> {
  /** Undefined for what holds where nobody says anything. */
  readonly ref: ResourceRef | undefined;
  readonly rule: Rule;
}
