/** All lints of each profile of leaves. */

import type { LeafProfile } from "../profile.ts";
import { extensionLints } from "./extensions.ts";
import { canaryPurpose, keyUsageLints, servingPurpose, workloadPurpose } from "./key-usage.ts";
import { runLints, type LeafContext, type Lint, type LintVerdict } from "./lint.ts";
import { canaryNameLints, nameLints, servingNameLints } from "./names.ts";
import { serialLints } from "./serial.ts";
import { signingLints } from "./signing.ts";
import { spiffeIdLints } from "./spiffe-id.ts";
import { validityLints } from "./validity.ts";

const common: readonly Lint<LeafContext>[] = [
  ...nameLints,
  ...extensionLints,
  ...keyUsageLints,
  ...serialLints,
  ...validityLints,
  ...signingLints,
];

export const leafLints: Readonly<Record<LeafProfile["name"], readonly Lint<LeafContext>[]>> = {
  workload: [...spiffeIdLints, workloadPurpose, ...common],
  serving: [...servingNameLints, servingPurpose, ...common],
  canary: [...spiffeIdLints, ...canaryNameLints, canaryPurpose, ...common],
};

/** @param tbs what is to be signed */
export function lintLeaf(
  tbs: Uint8Array,
  profile: LeafProfile["name"],
  context: LeafContext,
): LintVerdict {
  return runLints(leafLints[profile], tbs, context);
}
