/** Where a flip stands now, as it is shown. */

import type { FlipWait } from "../../../core/flip/flip-wait.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { MeshView } from "../../../core/policy/mesh-view.ts";
import { noEvidence, type FlipEvidence } from "./flip-evidence.ts";
import { targetFacts } from "./target-facts.ts";
import {
  workloadProgress,
  type ProgressControl,
  type WorkloadProgress,
} from "./workload-progress.ts";

export interface FlipReport {
  readonly flip: Flip;
  readonly workloads: readonly WorkloadProgress[];
  readonly waits: readonly FlipWait[];
  readonly callers: FlipEvidence["callers"];
}

/** Of one that nobody looks at any more. @param view of its namespace */
export function endedReport(
  flip: Flip,
  control: ProgressControl,
  view: MeshView,
  callers: FlipEvidence["callers"],
): FlipReport {
  const { members: evidenced } = noEvidence;
  const of = { facts: targetFacts(view, flip), evidenced, waived: new Set<string>() };
  return { flip, workloads: workloadProgress(control, of), waits: [], callers };
}
