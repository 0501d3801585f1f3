/** What is wrong, or weaker than it looks, in the configuration: nothing is ignored in silence. */

import type { ResourceRef } from "../resources/resource.ts";

export interface Finding {
  /** An error keeps the object out; a warning does not. */
  readonly severity: "error" | "warning";
  /** For scripts; kebab-case, part of the compatibility promise. */
  readonly code: string;
  readonly ref: ResourceRef | undefined;
  /** In the manifest: `spec.portLevelMtls."8080"`; "" for the whole. */
  readonly path: string;
  readonly text: string;
  /** What to do; "" where nothing is to be done. */
  readonly hint: string;
}
