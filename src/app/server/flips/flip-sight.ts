/** What one flip sees: what is recorded of its target, how far its workloads are, and what the objects say, put together when it is asked. */

import type { FlipVerdict, FlipView } from "../../../core/flip/flip-view.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import type { EvidenceQuestions } from "./evidence-questions.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import { flipEvidence, noEvidence, type FlipEvidence } from "./flip-evidence.ts";
import { KnownFacts, type TargetFacts } from "./target-facts.ts";
import {
  workloadProgress,
  type ProgressControl,
  type WorkloadProgress,
} from "./workload-progress.ts";

export interface FlipSightDependencies {
  readonly control: ProgressControl;
  readonly configuration: FlipConfiguration;
  readonly questions: EvidenceQuestions;
  readonly waivers: Pick<CallerWaivers, "namesOf">;
}

export interface SeenFlip extends FlipView {
  readonly workloads: readonly WorkloadProgress[];
}

export class FlipSight {
  readonly #dependencies: FlipSightDependencies;
  readonly #facts = new KnownFacts();
  #evidence: FlipEvidence = noEvidence;

  constructor(dependencies: FlipSightDependencies) {
    this.#dependencies = dependencies;
  }

  /** Who was refused since the first stage opened. */
  get callers(): FlipEvidence["callers"] {
    return this.#evidence.callers;
  }

  /** What the objects say now. */
  object(flip: Flip): ObjectSays {
    return this.#factsOf(flip).object;
  }

  /** What is recorded by now. On the way back it decides nothing. */
  async look(flip: Flip): Promise<void> {
    if (flip.state.kind === "reverting") return;
    const { asked } = this.#factsOf(flip);
    this.#evidence = await flipEvidence(this.#dependencies.questions, flip, asked);
  }

  /** With what was recorded when it was last looked at, and all else as it is now. */
  view(flip: Flip, verdict: FlipVerdict): SeenFlip {
    const { control, waivers } = this.#dependencies;
    const { members: evidenced, refused } = this.#evidence;
    const facts = this.#factsOf(flip);
    const of = { facts, evidenced, waived: waivers.namesOf(flip.target) };
    const workloads = workloadProgress(control, of);
    return { workloads, object: facts.object, verdict, refused };
  }

  #factsOf(flip: Flip): TargetFacts {
    const { configuration } = this.#dependencies;
    return this.#facts.of(configuration.viewOf(flip.target.namespace), flip);
  }
}
