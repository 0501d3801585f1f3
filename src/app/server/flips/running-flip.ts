/**
 * One flip on its way: looked at when something of it may be another, and stepped by `core/flip`'s machine. A step is in the log and in
 * the store before it is in force; one is taken at a time, and an operator's word comes between two of them.
 */

import { endMs } from "../../../core/flip/flip-causes.ts";
import { nextFlip } from "../../../core/flip/flip-machine.ts";
import type { FlipVerdict, FlipView } from "../../../core/flip/flip-view.ts";
import { waitsFor, type FlipWait } from "../../../core/flip/flip-waits.ts";
import { hasEnded, type Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
import type { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import { FlipEditing } from "./flip-editing.ts";
import type { FlipEdits } from "./flip-edits.ts";
import { eventFlip } from "./flip-news.ts";
import type { FlipRegister } from "./flip-register.ts";
import { FlipSight, type FlipSightDependencies } from "./flip-sight.ts";
import { FlipVerdicts } from "./flip-verdicts.ts";
import type { JudgeDependencies } from "./judgement.ts";
import { LookPace, type Looked } from "./look-pace.ts";
import type { WorkloadProgress } from "./workload-progress.ts";

export interface RunningFlipDependencies extends JudgeDependencies, FlipSightDependencies {
  readonly waivers: JudgeDependencies["waivers"];
  readonly register: Pick<FlipRegister, "change">;
  readonly edits: FlipEdits;
  readonly events: FlipEvents;
  /** It is durable, and in force when this returns. */
  readonly onStep: (after: Flip, before: Flip) => void;
}

/** Where it stands now. */
export interface FlipReport {
  readonly flip: Flip;
  readonly workloads: readonly WorkloadProgress[];
  readonly waits: readonly FlipWait[];
  readonly callers: FlipSight["callers"];
}

const unknownVerdict: FlipVerdict = { kind: "unknown", names: [] };

export class RunningFlip implements AsyncDisposable {
  readonly #dependencies: RunningFlipDependencies;
  readonly #sight: FlipSight;
  readonly #verdicts: FlipVerdicts;
  readonly #editing: FlipEditing;
  readonly #pace: LookPace;
  #flip: Flip;
  #verdict: FlipVerdict | undefined;
  readonly #turns = new OneAtATime();

  constructor(flip: Flip, dependencies: RunningFlipDependencies) {
    this.#flip = flip;
    this.#dependencies = dependencies;
    this.#sight = new FlipSight(dependencies);
    this.#verdicts = new FlipVerdicts(dependencies);
    this.#editing = new FlipEditing(dependencies);
    this.#pace = new LookPace({
      look: () => this.#look(),
      nextMs: () => endMs(this.#flip) - dependencies.nowMs(),
      onFailed: (error) => dependencies.events.failed(eventFlip(this.#flip), error),
    });
  }

  get flip(): Flip {
    return this.#flip;
  }

  /** Something of it may be another. */
  look(): void {
    this.#pace.wake();
  }

  report(): FlipReport {
    const flip = this.#flip;
    const view = this.#sight.view(flip, this.#verdict ?? unknownVerdict);
    const waits = waitsFor(flip, view, this.#nowMs());
    // What was not asked for is not waited for yet.
    const known = waits.filter(({ kind }) => kind !== "verdict" || this.#verdict !== undefined);
    const { workloads } = view;
    const { callers } = this.#sight;
    return { flip, workloads, waits: this.#editing.explained(known), callers };
  }

  /** In force when it resolves. @param decide from what holds then; may throw. @throws LogError; whatever SQLite throws */
  async order(decide: (flip: Flip, object: ObjectSays) => Flip): Promise<Flip> {
    const ordered = await this.#turns.run(async () => {
      const next = decide(this.#flip, this.#sight.object(this.#flip));
      if (next === this.#flip) return next;
      await this.#change(next);
      // Whatever a look may wait for.
      await this.#editing.makeDue(next, this.#sight.object(next));
      return next;
    });
    this.look();
    return ordered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pace[Symbol.asyncDispose]();
    await this.#turns.idle();
  }

  async #look(): Promise<Looked> {
    const flip = this.#flip;
    if (hasEnded(flip)) return "done";
    await this.#sight.look(flip);
    const seen = this.#sight.view(flip, unknownVerdict);
    const verdict = this.#waitsForVerdict(flip, seen) ? await this.#judge(flip) : undefined;
    return await this.#turns.run(async () => {
      // An order may have had its turn before.
      if (this.#flip !== flip || this.#sight.object(flip) !== seen.object) return "again";
      const view = verdict === undefined ? seen : this.#sight.view(flip, verdict);
      const next = nextFlip(flip, view, this.#nowMs());
      if (next !== undefined) return await this.#tryChange(next);
      return await this.#editing.makeDue(flip, view.object);
    });
  }

  async #judge(flip: Flip): Promise<FlipVerdict | undefined> {
    const verdict = await this.#pace.costly(() => this.#verdicts.of(flip));
    if (verdict !== undefined) this.#verdict = verdict;
    return verdict;
  }

  /** Nothing else stands in the way of the next step. */
  #waitsForVerdict(flip: Flip, seen: FlipView): boolean {
    const nowMs = this.#nowMs();
    if (nextFlip(flip, seen, nowMs) !== undefined) return false;
    const waits = waitsFor(flip, seen, nowMs);
    return waits.length > 0 && waits.every(({ kind }) => kind === "verdict");
  }

  /** The step is tried again later where it cannot be recorded. */
  async #tryChange(next: Flip): Promise<Looked> {
    try {
      await this.#change(next);
      return "again";
    } catch (error) {
      this.#dependencies.events.notRecorded(eventFlip(next), error);
      return "failed";
    }
  }

  async #change(next: Flip): Promise<void> {
    const { register, onStep } = this.#dependencies;
    await register.change(next);
    const before = this.#flip;
    this.#flip = next;
    // It was about those who were not strict then.
    if (before.opened.length !== next.opened.length) this.#verdict = undefined;
    onStep(next, before);
  }

  /** Whole: a flip is read again only with such. */
  #nowMs(): number {
    return Math.floor(this.#dependencies.nowMs());
  }
}
