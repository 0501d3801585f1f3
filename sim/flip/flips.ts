/**
 * Flips in a simulated process of the server. It takes the steps of `src/app/server/flips` in their order, and must be changed with them: a
 * change is in the log, then in the store, then in force, and what a state asks of the object is done after it, as often as it takes.
 */

import { refKey } from "../../src/core/resources/policy-object.ts";
import type { FlipPorts } from "../../src/core/flip/flip.ts";
import { hasEnded, newFlip, type Flip, type RevertCause } from "../../src/core/flip/flip.ts";
import { encodeFlip, parseFlip } from "../../src/core/flip/flip-codec.ts";
import { FlipError, isRefusal } from "../../src/core/flip/flip-error.ts";
import { holdOf } from "../../src/core/flip/flip-hold.ts";
import { nextFlip, revertFlip } from "../../src/core/flip/flip-machine.ts";
import type { FlipVerdict } from "../../src/core/flip/flip-view.ts";
import { waitsFor } from "../../src/core/flip/flip-waits.ts";
import { objectSays } from "../../src/core/flip/object-says.ts";
import { resolveTarget } from "../../src/core/flip/resolve-target.ts";
import { planRevert } from "../../src/core/flip/revert-edit.ts";
import { parseStages } from "../../src/core/flip/stages.ts";
import { planStrict, type StrictEdit } from "../../src/core/flip/strict-edit.ts";
import { contentOf, manifestOf } from "../../src/core/flip/edited-policy.ts";
import { areApart, type FlipTarget } from "../../src/core/flip/target.ts";
import type { Hold } from "../../src/core/policy/holds.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { Disk, StoredObject } from "./disk.ts";
import type { FlipSight, SeenOfFlip } from "./flip-sight.ts";
import { peerObject } from "./mesh-objects.ts";

export interface FlipOrder {
  readonly target: string;
  readonly stages: string;
  readonly lookBackMs: number;
  readonly revertWindowMs: number;
  readonly revertOnRefused: number | undefined;
  readonly isOurs: boolean;
}

export interface FlipsOptions {
  readonly disk: Disk;
  readonly sight: FlipSight;
  readonly view: () => MeshView;
  readonly hold: (holds: readonly Hold[]) => void;
  readonly put: (ref: ResourceRef, object: StoredObject | undefined) => void;
  readonly nowMs: () => number;
  readonly later: (ms: number, work: () => void) => void;
  /** How long an answer takes. */
  readonly delayMs: () => number;
  /** Whoever looks from outside: a flip is durable. @param before as it was */
  readonly onDurable: (flip: Flip, before: Flip | undefined) => void;
}

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

  /** @returns why not; undefined where it has begun @throws crash */
  start(order: FlipOrder): string | undefined {
    const { sight } = this.#options;
    const planned = this.#plan(order.target);
    if (typeof planned === "string") return planned;
    const { target, edit } = planned;
    const { ports, exceptPorts, brokenCalls } = edit;
    const { lookBackMs } = order;
    const judged = { target, ports: { ports, exceptPorts }, lookBackMs, brokenCalls };
    const verdict = sight.target.judge({ ...judged, isStrict: () => false });
    if (verdict?.kind !== "safe") return `not-safe: ${verdict?.kind ?? "nobody"}`;
    this.#change(this.#newFlip(order, target, edit));
    return undefined;
  }

  /** Between two steps of it. @throws crash */
  revert(id: number, cause: RevertCause): void {
    const { view, nowMs, later } = this.#options;
    const flip = this.#flips.get(id);
    if (flip === undefined) return;
    if (this.#changing.has(id)) return later(1, () => this.revert(id, cause));
    const next = revertFlip(flip, cause, objectSays(flip, view()), nowMs());
    if (!isRefusal(next) && next !== flip) this.#change(next);
  }

  /** Something may have changed for any of them. @throws crash */
  look(): void {
    for (const id of this.#flips.keys()) this.#lookAt(id);
  }

  /** What the evidence says is asked first, and what is done goes by all else as it is then. */
  #lookAt(id: number): void {
    const { sight, later, delayMs } = this.#options;
    const flip = this.#flips.get(id);
    if (flip === undefined || hasEnded(flip)) return;
    if (this.#looking.has(id) || this.#changing.has(id)) return void this.#due.add(id);
    this.#looking.add(id);
    const seen = sight.see(flip);
    const verdict = this.#waitsForVerdict(flip, seen) ? sight.judge(flip) : unknownVerdict;
    later(delayMs(), () => {
      this.#looking.delete(id);
      const isDue = this.#due.delete(id);
      // What is being changed is looked at when it is.
      if (this.#changing.has(id)) return;
      if (this.#step(flip, seen, verdict) || isDue) this.#lookAt(id);
    });
  }

  /** Nothing else stands in the way of the next step. */
  #waitsForVerdict(flip: Flip, seen: SeenOfFlip): boolean {
    const { sight, nowMs } = this.#options;
    const view = sight.viewBy(flip, seen, unknownVerdict);
    if (nextFlip(flip, view, nowMs()) !== undefined) return false;
    const waits = waitsFor(flip, view, nowMs());
    return waits.length > 0 && waits.every(({ kind }) => kind === "verdict");
  }

  /** @returns whether there is more to look at now */
  #step(flip: Flip, seen: SeenOfFlip, verdict: FlipVerdict): boolean {
    const { sight, nowMs } = this.#options;
    if (this.#flips.get(flip.id) !== flip) return true;
    const next = nextFlip(flip, sight.viewBy(flip, seen, verdict), nowMs());
    if (next === undefined) return this.#edit(flip);
    this.#change(next);
    return false;
  }

  /** @returns whether the object is another now */
  #edit(flip: Flip): boolean {
    const { view, put, disk } = this.#options;
    const { edit, state } = flip;
    const { ref } = edit;
    if (!edit.isOurs) return false;
    const says = objectSays(flip, view());
    const there = disk.objects.get(refKey(ref));
    if (state.kind === "editing" && says === "before" && isUntouched(edit, there)) {
      const manifest = manifestOf(edit.afterJson);
      put(ref, { object: peerObject(ref, manifest), manifest });
      return true;
    }
    if (state.kind !== "reverting" || says === "before" || says === "other") return false;
    const plan = planRevert(flip, { view: view(), manifest: there?.manifest });
    if (plan.kind === "nothing") return false;
    const { manifest } = plan.kind === "put" ? plan.after : {};
    put(ref, manifest && { object: peerObject(ref, manifest), manifest });
    return true;
  }

  #plan(text: string): string | { readonly target: FlipTarget; readonly edit: StrictEdit } {
    const { view, disk, nowMs } = this.#options;
    try {
      const target = resolveTarget(text, view());
      const running = this.all.some((each) => !hasEnded(each) && !areApart(each.target, target));
      if (running || this.#changing.size > 0) return "flip-running";
      const manifest = (ref: ResourceRef) => disk.objects.get(refKey(ref))?.manifest ?? {};
      const sources = { view: view(), manifestOf: manifest, createdMs: nowMs() };
      const edit = planStrict(target, sources);
      return isRefusal(edit) ? edit.code : { target, edit };
    } catch (error) {
      if (error instanceof FlipError) return error.code;
      throw error;
    }
  }

  #newFlip(order: FlipOrder, target: FlipTarget, edit: StrictEdit): Flip {
    const { lookBackMs, revertWindowMs, revertOnRefused, isOurs, stages } = order;
    const ports: FlipPorts = { ports: edit.ports, exceptPorts: edit.exceptPorts };
    return newFlip({
      id: Math.max(0, ...this.#flips.keys()) + 1,
      target,
      operator: "ada",
      startedMs: this.#options.nowMs(),
      lookBackMs,
      stages: parseStages(stages),
      revertWindowMs,
      revertOnRefused,
      edit: {
        ref: edit.ref,
        beforeJson: edit.before && JSON.stringify(edit.before.manifest),
        afterJson: JSON.stringify(edit.after.manifest),
        isOurs,
      },
      ...ports,
    });
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

/** Nothing is written over what somebody else has changed. */
function isUntouched({ beforeJson }: Flip["edit"], there: StoredObject | undefined): boolean {
  if (beforeJson === undefined || there?.manifest === undefined) return beforeJson === there;
  return contentOf(manifestOf(beforeJson)) === contentOf(there.manifest);
}
