/** What one flip sees: what is recorded of its target, how far its workloads are, and what the objects say, put together when it is asked. */

import type { FlipVerdict, FlipView } from "../../../core/flip/flip-view.ts";
import type { FlipWait } from "../../../core/flip/flip-wait.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
import { withSilence } from "../../../core/flip/waived-silence.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import type { EvidenceQuestions } from "./evidence-questions.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import { flipEvidence, noEvidence, type FlipEvidence } from "./flip-evidence.ts";
import type { HurriedStreams } from "./hurried-streams.ts";
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
  readonly waivers: Pick<CallerWaivers, "namesOf" | "untilOf">;
  readonly hurried: HurriedStreams<Session>;
  readonly nowMs: () => number;
}

export interface SeenFlip extends FlipView {
  readonly workloads: readonly WorkloadProgress[];
}

const notAsked: FlipVerdict = { kind: "unknown", names: [] };

export class FlipSight {
  readonly #dependencies: FlipSightDependencies;
  readonly #facts = new KnownFacts();
  /** Of the last answer: what was told does not end with it. */
  #evidence: FlipEvidence = noEvidence;
  #isBlind = false;
  #absentSinceMs: number | undefined;
  #lookedSinceMs: number;
  /** Of the stage that would be opened next. */
  #safe: { readonly opened: number; readonly sinceMs: number } | undefined;

  constructor(dependencies: FlipSightDependencies) {
    this.#dependencies = dependencies;
    this.#lookedSinceMs = dependencies.nowMs();
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
    const { questions } = this.#dependencies;
    const evidence = await flipEvidence(questions, flip, asked, this.#nowMs());
    this.#isBlind = evidence === undefined;
    if (evidence !== undefined) this.#evidence = evidence;
  }

  /** With what was recorded when it was last looked at, and all else as it is now. */
  view(flip: Flip, verdict: FlipVerdict = notAsked): SeenFlip {
    const { control, waivers } = this.#dependencies;
    const { members: evidenced, refused } = this.#evidence;
    const facts = this.#factsOf(flip);
    const of = { facts, evidenced, waived: waivers.namesOf(flip.target) };
    return {
      workloads: withSilence(workloadProgress(control, of), this.#nowMs()),
      object: facts.object,
      overruledBy: facts.overruledBy,
      evidence: this.#isBlind ? "blind" : "known",
      verdict,
      safeSinceMs: this.#safe?.opened === flip.opened.length ? this.#safe.sinceMs : undefined,
      refused,
      ...this.#timesOf(facts),
      waivedUntil: waivers.untilOf(flip.target),
    };
  }

  /** With a verdict that was just asked for. */
  judged(flip: Flip, verdict: FlipVerdict): SeenFlip {
    const opened = flip.opened.length;
    const nowMs = this.#nowMs();
    const known = this.#safe?.opened === opened ? this.#safe.sinceMs : nowMs;
    const sinceMs = Math.min(known, nowMs);
    this.#safe = verdict.kind === "safe" ? { opened, sinceMs } : undefined;
    return this.view(flip, verdict);
  }

  /** Whoever's evidence is waited for is asked for it, and nobody else any more. */
  hurry({ id }: Flip, waits: readonly FlipWait[]): void {
    const { control, hurried } = this.#dependencies;
    const untold = waits.filter(({ kind }) => kind === "evidence").map(({ name }) => name);
    const names = new Set(untold);
    const members = this.#evidence.members.filter(({ name }) => names.has(name));
    const streams = members.flatMap(({ proxy }) => control.proxies.get(proxy)?.session ?? []);
    hurried.waitsFor(id, new Set(streams));
  }

  /** By this clock: one that was set back makes nothing later. */
  #timesOf({ isObjectThere }: TargetFacts): Pick<FlipView, "absentSinceMs" | "lookedSinceMs"> {
    const nowMs = this.#nowMs();
    const sinceMs = Math.min(this.#absentSinceMs ?? nowMs, nowMs);
    this.#absentSinceMs = isObjectThere ? undefined : sinceMs;
    this.#lookedSinceMs = Math.min(this.#lookedSinceMs, nowMs);
    return { absentSinceMs: this.#absentSinceMs, lookedSinceMs: this.#lookedSinceMs };
  }

  /** Whole, as a flip has times. */
  #nowMs(): number {
    return Math.floor(this.#dependencies.nowMs());
  }

  #factsOf(flip: Flip): TargetFacts {
    const { configuration } = this.#dependencies;
    return this.#facts.of(configuration.viewOf(flip.target.namespace), flip);
  }
}
