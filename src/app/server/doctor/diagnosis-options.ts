/** What a diagnosis looks at. */

import type { Parts } from "../parts.ts";

export interface DiagnosisOptions {
  readonly parts: Pick<
    Parts,
    | "bundleMaps"
    | "evidence"
    | "keeper"
    | "kube"
    | "live"
    | "log"
    | "problems"
    | "reloads"
    | "rotation"
    | "trust"
    | "trustSecret"
  >;
  readonly version: string;
  /** What agents, or the server itself, have found wrong with the log. */
  readonly logAlarms: () => number;
  /** Since when connections are kept; undefined where they are not. */
  readonly evidenceSinceMs: () => number | undefined;
  readonly nowMs: () => number;
}
