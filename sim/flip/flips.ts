/**
 * Flips in a simulated process of the server. It takes the steps of `src/app/server/flips` in their order, and must be changed with them: a
 * change is in the log, then in the store, then in force, and what a state asks of the object is done after it, as often as it takes.
 */

import { hasEnded, type Flip, type RevertCause } from "../../src/core/flip/flip.ts";
import { encodeFlip, parseFlip } from "../../src/core/flip/flip-codec.ts";
import { isRefusal } from "../../src/core/flip/flip-error.ts";
import { holdOf } from "../../src/core/flip/flip-hold.ts";
import {
  nextFlip,
  revertFlip,
  waitsForVerdict,
  writtenFlip,
} from "../../src/core/flip/flip-machine.ts";
import type { FlipVerdict, FlipView } from "../../src/core/flip/flip-view.ts";
import { waitsFor } from "../../src/core/flip/flip-waits.ts";
import { isStanding, objectSays, type ObjectSays } from "../../src/core/flip/object-says.ts";
import { areApart, targetKey } from "../../src/core/flip/target.ts";
import { flipOf, planFlip, type FlipOrder } from "./flip-plan.ts";
import { writeObject } from "./flip-write.ts";
import type { FlipsOptions } from "./flips-options.ts";

const unknownVerdict: FlipVerdict = { kind: "unknown", names: [] };

export class Flips {
  readonly #options: FlipsOptions;
  readonly #flips = new Map<number, Flip>();
  readonly #looking = new Set<number>();
  /** They are in the log, and not in the store yet. */
  readonly #changing = new Set<number>();
  /** To be looked at again. */
  readonly #due = new Set<number>();

  /** They are in force before anybody is told anything. */
  constructor(options: FlipsOptions) {
    this.#options = options;
    for (const [id, document] of options.disk.flips) this.#flips.set(id, parseFlip(document));
    this.#hold();
  }

  get all(): readonly Flip[] {
    return [...this.#flips.values()];
  }

  /** @returns why not; undefined where it is to begin @throws crash */
  start(order: FlipOrder): string | undefined {
    const { sight, view, disk, nowMs } = this.#options;
    const plan = planFlip(order.target, view(), disk, nowMs());
    if (typeof plan === "string") return plan;
    const { target, edit } = plan;
    const isRunning = this.all.some((each) => !hasEnded(each) && !areApart(each.target, target));
    if (isRunning || this.#changing.size > 0) return "flip-running";
    const kind = sight.judgePlan(target, edit, order.lookBackMs);
    if (kind !== "safe") return `not-safe: ${kind}`;
    const id = Math.max(0, ...this.#flips.keys()) + 1;
    this.#change(flipOf(order, plan, { id, startedMs: nowMs() }));
    return undefined;
  }

  /** Between two steps of it. @throws crash */
  revert(id: number, cause: RevertCause): void {
    const { view, nowMs, later } = this.#options;
    const flip = this.#flips.get(id);
    if (flip === undefined) return;
    // Also while another one begins, which it would come beside.
    if (this.#changing.size > 0) return later(1, () => this.revert(id, cause));
    if (hasEnded(flip) && this.#isFollowed(flip)) return;
    const now = { object: objectSays(flip, view()), isStanding: isStanding(flip, view()) };
    const next = revertFlip(flip, cause, now, nowMs());
    if (!isRefusal(next) && next !== flip) this.#change(next);
  }

  /** Of a target the last one is taken back, and none beside one that is under way. */
  #isFollowed({ id, target }: Flip): boolean {
    const others = this.all.filter((each) => each.id !== id && !areApart(each.target, target));
    return others.some(
      (each) => !hasEnded(each) || (each.id > id && targetKey(each.target) === targetKey(target)),
    );
  }

  /** Something may have changed for any of them. */
  look(): void {
    for (const id of this.#flips.keys()) this.#lookAt(id);
  }

  /** What the evidence says is asked first, and what is done goes by all else as it is then. */
  #lookAt(id: number): void {
    const { sight, later, delayMs, nowMs } = this.#options;
    const flip = this.#flips.get(id);
    if (flip === undefined || hasEnded(flip)) return;
    if (this.#looking.has(id) || this.#changing.has(id)) return void this.#due.add(id);
    this.#looking.add(id);
    const seen = sight.see(flip);
    const before = sight.viewBy(flip, seen, unknownVerdict);
    const verdict = waitsForVerdict(flip, before, nowMs()) ? sight.judge(flip) : undefined;
    later(delayMs(), () => {
      this.#looking.delete(id);
      const isDue = this.#due.delete(id);
      // What is being changed is looked at when it is.
      if (this.#changing.has(id)) return;
      const view = verdict === undefined ? before : sight.judgedBy(flip, seen, verdict);
      this.#hurry(flip, view);
      if (this.#step(flip, before.object, view) || isDue) this.#lookAt(id);
    });
  }

  /** Whoever has not told is asked to tell soon. */
  #hurry(flip: Flip, view: FlipView): void {
    const { nowMs, hurry } = this.#options;
    const waits = waitsFor(flip, view, nowMs());
    const untold = waits.filter(({ kind }) => kind === "evidence").map(({ name }) => name);
    hurry(flip.id, untold);
  }

  /** @param seen what the object said @returns whether there is more to look at now */
  #step(flip: Flip, seen: ObjectSays, view: FlipView): boolean {
    const { nowMs, view: viewNow } = this.#options;
    const object = objectSays(flip, viewNow());
    if (this.#flips.get(flip.id) !== flip || object !== seen) return true;
    const next = nextFlip(flip, view, nowMs()) ?? writtenFlip(flip, object);
    if (next === undefined) return writeObject(flip, object, this.#options);
    this.#change(next);
    return false;
  }

  /** It takes a moment, in which others go on. @throws crash */
  #change(flip: Flip): void {
    const { disk, later, delayMs } = this.#options;
    const { id } = flip;
    const document = encodeFlip(flip);
    this.#changing.add(id);
    disk.write("log", () => disk.log.push(`${id} ${document}`));
    later(delayMs(), () => {
      this.#changing.delete(id);
      this.#put(flip, document);
      this.#lookAt(id);
    });
  }

  #put(flip: Flip, document: string): void {
    const { disk, onDurable } = this.#options;
    const { id } = flip;
    disk.write("flip", () => {
      const before = disk.flips.get(id);
      disk.flips.set(id, document);
      onDurable(flip, before === undefined ? undefined : parseFlip(before));
    });
    this.#flips.set(id, flip);
    this.#hold();
  }

  #hold(): void {
    this.#options.hold(this.all.flatMap((each) => holdOf(each) ?? []));
  }
}
