/** What one flip sees: what is recorded of its target, how far its workloads are, and what the objects say, put together when it is asked. */

import type { FlipVerdict, FlipView } from "../../../core/flip/flip-view.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import { askedPorts, type AskedPorts } from "./asked-ports.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import type { EvidenceQuestions } from "./evidence-questions.ts";
import type { FlipEdits } from "./flip-edits.ts";
import { flipEvidence, noEvidence, type FlipEvidence } from "./flip-evidence.ts";
import {
  workloadProgress,
  type ProgressDependencies,
  type WorkloadProgress,
} from "./workload-progress.ts";

export interface FlipSightDependencies extends ProgressDependencies {
  readonly questions: EvidenceQuestions;
  readonly waivers: Pick<CallerWaivers, "namesOf">;
  readonly edits: Pick<FlipEdits, "objectSays">;
}

export interface SeenFlip extends FlipView {
  readonly workloads: readonly WorkloadProgress[];
}

export class FlipSight {
  readonly #dependencies: FlipSightDependencies;
  #evidence: FlipEvidence = noEvidence;

  constructor(dependencies: FlipSightDependencies) {
    this.#dependencies = dependencies;
  }

  /** Who was refused since the first stage opened. */
  get callers(): FlipEvidence["callers"] {
    return this.#evidence.callers;
  }

  /** What is recorded by now. On the way back it decides nothing. */
  async look(flip: Flip): Promise<void> {
    if (flip.state.kind === "reverting") return;
    this.#evidence = await flipEvidence(this.#dependencies.questions, flip, this.#asked(flip));
  }

  /** With what was recorded when it was last looked at, and all else as it is now. */
  view(flip: Flip, verdict: FlipVerdict): SeenFlip {
    const { waivers, edits } = this.#dependencies;
    const { members: evidenced, refused } = this.#evidence;
    const { target } = flip;
    const waived = waivers.namesOf(target);
    const of = { target, asked: this.#asked(flip), evidenced, waived };
    const workloads = workloadProgress(this.#dependencies, of);
    return { workloads, object: edits.objectSays(flip), verdict, refused };
  }

  #asked(flip: Flip): AskedPorts {
    const { target } = flip;
    const { configuration } = this.#dependencies;
    return askedPorts(configuration.viewOf(target.namespace), target, flip);
  }
}
