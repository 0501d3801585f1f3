/**
 * One flip on its way: looked at when something of it may be another, and stepped by `core/flip`'s machine. A step is in the log and in
 * the store before it is in force; one is taken at a time, and an operator's word comes between two of them.
 */

import { endMs } from "../../../core/flip/flip-causes.ts";
import { nextFlip, waitsForVerdict, writtenFlip } from "../../../core/flip/flip-machine.ts";
import { waitsFor } from "../../../core/flip/flip-waits.ts";
import { hasEnded, type Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
import { missedUntil } from "../../../core/flip/superseding.ts";
import type { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import { FlipEditing } from "./flip-editing.ts";
import type { FlipEdits } from "./flip-edits.ts";
import { eventFlip } from "./flip-news.ts";
import { FlipRecord, type FlipRecordDependencies } from "./flip-record.ts";
import type { FlipReport } from "./flip-report.ts";
import { FlipSight, type FlipSightDependencies } from "./flip-sight.ts";
import { FlipVerdicts } from "./flip-verdicts.ts";
import type { JudgeDependencies } from "./judgement.ts";
import { LookPace, type Looked } from "./look-pace.ts";

export interface RunningFlipDependencies
  extends JudgeDependencies, FlipSightDependencies, FlipRecordDependencies {
  readonly waivers: JudgeDependencies["waivers"] & FlipSightDependencies["waivers"];
  readonly edits: FlipEdits;
  readonly events: FlipEvents;
}

export class RunningFlip implements AsyncDisposable {
  readonly #dependencies: RunningFlipDependencies;
  readonly #record: FlipRecord;
  readonly #sight: FlipSight;
  readonly #verdicts: FlipVerdicts;
  readonly #editing: FlipEditing;
  readonly #pace: LookPace;
  /** When something happens by time alone. */
  #dueMs: readonly number[] = [];

  constructor(flip: Flip, dependencies: RunningFlipDependencies) {
    this.#dependencies = dependencies;
    this.#record = new FlipRecord(flip, dependencies);
    this.#sight = new FlipSight(dependencies);
    this.#verdicts = new FlipVerdicts(dependencies);
    this.#editing = new FlipEditing(dependencies);
    this.#pace = new LookPace({
      look: () => this.#look(),
      nextMs: () => this.#nextMs(),
      onFailed: (error) => dependencies.events.failed(eventFlip(this.flip), error),
    });
  }

  get flip(): Flip {
    return this.#record.flip;
  }

  /** No change of it is on its way. */
  get isIdle(): boolean {
    return this.#record.isIdle;
  }

  async idle(): Promise<void> {
    await this.#record.idle();
  }

  /** Something of it may be another. */
  look(): void {
    this.#pace.wake();
  }

  report(): FlipReport {
    const { flip } = this;
    const verdict = this.#verdicts.last(flip);
    const view = this.#sight.view(flip, verdict);
    const waits = waitsFor(flip, view, this.#nowMs());
    // What was not asked for is not waited for yet.
    const known = waits.filter(({ kind }) => kind !== "verdict" || verdict !== undefined);
    const { workloads } = view;
    return { flip, workloads, waits: this.#editing.explained(known), callers: this.#sight.callers };
  }

  /** In force when it resolves. @param decide from what holds then; may throw. @throws LogError; whatever SQLite throws */
  async order(decide: (flip: Flip, object: ObjectSays) => Flip): Promise<Flip> {
    const ordered = await this.#record.inTurn(async () => {
      const next = decide(this.flip, this.#sight.object(this.flip));
      if (next === this.flip) return next;
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
    await this.#record.idle();
    this.#sight.hurry(this.flip, []);
  }

  async #look(): Promise<Looked> {
    const { flip } = this;
    if (hasEnded(flip)) return "done";
    await this.#sight.look(flip);
    const seen = this.#sight.view(flip);
    this.#dueMs = [endMs(flip), missedUntil(flip, seen) ?? Infinity];
    const verdict = waitsForVerdict(flip, seen, this.#nowMs())
      ? await this.#pace.costly(() => this.#verdicts.of(flip))
      : undefined;
    const view = verdict === undefined ? seen : this.#sight.judged(flip, verdict);
    // Whoever has not told is asked to tell soon.
    this.#sight.hurry(flip, waitsFor(flip, view, this.#nowMs()));
    return await this.#record.inTurn(async () => {
      // An order may have had its turn before.
      if (this.flip !== flip || this.#sight.object(flip) !== seen.object) return "again";
      const next = nextFlip(flip, view, this.#nowMs()) ?? writtenFlip(flip, view.object);
      if (next !== undefined) return await this.#tryChange(next);
      return await this.#editing.makeDue(flip, view.object);
    });
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
    await this.#record.change(next, () => {
      return this.#sight.view(next).workloads.map(({ name }) => name);
    });
  }

  /** Not above 0 where nothing is left to come. */
  #nextMs(): number {
    const left = this.#dueMs.map((ms) => ms - this.#dependencies.nowMs());
    return Math.min(...left.filter((ms) => ms > 0));
  }

  /** Whole: a flip is read again only with such. */
  #nowMs(): number {
    return Math.floor(this.#dependencies.nowMs());
  }
}
