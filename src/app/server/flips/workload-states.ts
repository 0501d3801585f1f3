/** How far a flip is at a workload, in the one word that operators read. */

import { stagesOf, type Flip } from "../../../core/flip/flip.ts";
import type { WorkloadProgress } from "./workload-progress.ts";

/**
 * `held-back`: it takes plaintext. On the way back whoever has not acknowledged that is on its way. `permissive`: a stage has opened it,
 * it has what it is to do, and takes plaintext: the object does not say STRICT now.
 */
export function workloadStates(flip: Flip): (workload: WorkloadProgress) => string {
  const stageOf = stagesOf(flip);
  const { kind } = flip.state;
  const isBack = kind === "reverting" || kind === "reverted" || kind === "superseded";
  return ({ name, stage, isBack: takesPlaintext, plaintext }) => {
    if (!isBack) {
      if (stageOf(name) === undefined) return "held-back";
      const isInForce = stage === "in-force" || stage === "draining";
      return isInForce && plaintext === "taken" ? "permissive" : stage;
    }
    if (stage === "no-proxy" || takesPlaintext) return "held-back";
    return stage === "silent" || stage === "refused" ? stage : "pushed";
  };
}
