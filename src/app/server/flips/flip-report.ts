/** Where a flip stands now, as it is shown. */

import type { FlipWait } from "../../../core/flip/flip-wait.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
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
  /** What the objects say now, of one that has ended. */
  readonly object?: ObjectSays;
}

export interface EndedOf {
  readonly control: ProgressControl;
  /** Of its namespace. */
  readonly view: MeshView;
  readonly callers: FlipEvidence["callers"];
  /** Names of callers and proxies. */
  readonly waived: ReadonlySet<string>;
}

/** Of one that nobody looks at any more. */
export function endedReport(flip: Flip, { control, view, callers, waived }: EndedOf): FlipReport {
  const { members: evidenced } = noEvidence;
  const facts = targetFacts(view, flip);
  const workloads = workloadProgress(control, { facts, evidenced, waived });
  return { flip, workloads, waits: [], callers, object: facts.object };
}

/** Names of those that may refuse plaintext still, of one that goes back or was taken back. */
export function notBackOf({ flip, workloads, object }: FlipReport): readonly string[] {
  const { kind } = flip.state;
  // Whoever is strict again is so by somebody else's word.
  const isAgain = object === "after" || object === "partly";
  if (kind !== "reverting" && (kind !== "reverted" || isAgain)) return [];
  return workloads
    .filter(({ stage, isBack }) => stage !== "no-proxy" && !isBack)
    .map(({ name }) => name);
}
