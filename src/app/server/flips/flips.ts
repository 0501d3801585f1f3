/**
 * All flips of a server, and what they hold back: the one interpreter of `core/flip`. After a start it goes on from the last durable
 * step of each, and holds back what that says before any proxy is told anything.
 */

import { holdOf, isHeldOtherwise } from "../../../core/flip/flip-hold.ts";
import { hasEnded, newFlip, type Flip, type NewFlip } from "../../../core/flip/flip.ts";
import type { FlipTarget } from "../../../core/flip/target.ts";
import type { Hold } from "../../../core/policy/holds.ts";
import type { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { FlipEvidence } from "./flip-evidence.ts";
import { eventFlip, sayStep } from "./flip-news.ts";
import { assertApart, flipsFull } from "./flip-overlaps.ts";
import type { FlipRegister } from "./flip-register.ts";
import { endedReport, type FlipReport } from "./flip-report.ts";
import { RunningFlip, type RunningFlipDependencies } from "./running-flip.ts";
import type { ProgressControl } from "./workload-progress.ts";

export interface FlipsDependencies extends Omit<RunningFlipDependencies, "onStep" | "register"> {
  readonly register: FlipRegister;
  readonly control: ProgressControl & Pick<PolicyControl, "hold">;
  readonly events: FlipEvents;
}

export class Flips implements AsyncDisposable {
  readonly #dependencies: FlipsDependencies;
  readonly #running = new Map<number, RunningFlip>();
  /** Of those that are being recorded for the first time. */
  readonly #beginning = new Set<FlipTarget>();
  /** Who was refused, of those that have ended in this life of the server. */
  readonly #callers = new Map<number, FlipEvidence["callers"]>();

  /** What is held back is in force when it returns. */
  constructor(dependencies: FlipsDependencies) {
    this.#dependencies = dependencies;
    for (const flip of dependencies.register.all()) if (!hasEnded(flip)) this.#run(flip);
    dependencies.control.hold(this.holds);
  }

  /** Also one that has ended, while an order may let it go on. */
  get underWay(): readonly Flip[] {
    const all = [...this.#running.values()].filter(
      ({ flip, isIdle }) => !hasEnded(flip) || !isIdle,
    );
    return all.map(({ flip }) => flip);
  }

  get holds(): readonly Hold[] {
    return this.underWay.flatMap((flip) => holdOf(flip) ?? []);
  }

  /** Something of these may be another: all, where nobody is named. */
  look(isConcerned: (namespace: string) => boolean = () => true): void {
    for (const running of this.#running.values()) {
      if (isConcerned(running.flip.target.namespace)) running.look();
    }
  }

  /** The newest last. */
  all(): readonly Flip[] {
    return this.#dependencies.register.all();
  }

  report(flip: Flip): FlipReport {
    const running = this.#running.get(flip.id);
    if (running !== undefined) return running.report();
    const { configuration, control, waivers } = this.#dependencies;
    const view = configuration.viewOf(flip.target.namespace);
    const waived = waivers.namesOf(flip.target);
    const callers = this.#callers.get(flip.id) ?? [];
    return endedReport(flip, { control, view, callers, waived });
  }

  /** @throws FlipRefusedError where another flip has workloads in common with it */
  assertApart(target: FlipTarget): void {
    const others = this.underWay.map((each) => each.target);
    assertApart(target, [...others, ...this.#beginning]);
  }

  /** In force when it resolves. @throws FlipRefusedError, LogError; whatever SQLite throws */
  async begin(flip: Omit<NewFlip, "id">): Promise<Flip> {
    const { register, events } = this.#dependencies;
    const { target } = flip;
    this.assertApart(target);
    if (register.isFull) throw flipsFull();
    this.#beginning.add(target);
    try {
      const begun = newFlip({ ...flip, id: register.nextId() });
      await register.change(begun);
      events.began(eventFlip(begun), begun.operator);
      this.#run(begun).look();
      this.#hold();
      return begun;
    } finally {
      this.#beginning.delete(target);
    }
  }

  /** One that has ended runs again, if that is what is decided. @throws what `decide` throws, LogError; whatever SQLite throws */
  async order(flip: Flip, decide: Parameters<RunningFlip["order"]>[0]): Promise<Flip> {
    const running = this.#running.get(flip.id) ?? this.#runAgain(flip);
    try {
      return await running.order(decide);
    } finally {
      this.#letGo(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map((each) => each[Symbol.asyncDispose]()));
  }

  #run(flip: Flip): RunningFlip {
    const onStep = (after: Flip, before: Flip): void => this.#stepped(after, before);
    const running = new RunningFlip(flip, { ...this.#dependencies, onStep });
    this.#running.set(flip.id, running);
    return running;
  }

  #runAgain(flip: Flip): RunningFlip {
    this.assertApart(flip.target);
    return this.#run(flip);
  }

  /** One that has ended. Where an order waits for its turn, it may go on, and is let go of after that. */
  #letGo(running: RunningFlip): void {
    const { flip, isIdle } = running;
    if (!hasEnded(flip) || !isIdle || this.#running.get(flip.id) !== running) return;
    this.#running.delete(flip.id);
    void running[Symbol.asyncDispose]();
  }

  #stepped(after: Flip, before: Flip): void {
    if (isHeldOtherwise(before, after)) this.#hold();
    sayStep(this.#dependencies.events, after, before);
    if (!hasEnded(after)) return;
    const running = this.#running.get(after.id);
    this.#callers.set(after.id, running?.report().callers ?? []);
    for (const id of this.#callers.keys()) {
      if (this.#dependencies.register.get(id) === undefined) this.#callers.delete(id);
    }
    // Its own turn comes to an end.
    void running?.idle().then(() => this.#letGo(running));
  }

  #hold(): void {
    this.#dependencies.control.hold(this.holds);
  }
}
