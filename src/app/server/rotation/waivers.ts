/**
 * Waivers of a running server: whose evidence a gate goes on without, until when, and on whose word. Each name stands in the
 * log before it counts. Each is for the roots that were trusted when it was given: who has handed out one bundle has not
 * handed out the next one.
 */

import { isWaivable } from "../../../core/roll/laggard-name.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { StoredWaivers, Waiver } from "../../../edge/store/waivers.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import { inBatches } from "../name-batches.ts";
import type { Claim } from "../operator-command.ts";

export class WaiverRefusedError extends PortcullisError<
  "waiver-names" | "waiver-until" | "waiver-selector" | "waiver-stale" | "waiver-hindered"
> {
  override name = "WaiverRefusedError";
}

export interface WaiversDependencies {
  readonly stored: StoredWaivers;
  readonly record: LogKeeper["event"];
  /** The trust state's, of the present roots. */
  readonly rootsSequence: () => bigint;
  readonly nowMs: () => number;
}

const namesMax = 10_000;
const longestMs = 30 * 86_400_000;

export class Waivers {
  readonly #dependencies: WaiversDependencies;
  #byName: ReadonlyMap<string, Waiver>;

  /** @throws whatever SQLite throws */
  constructor(dependencies: WaiversDependencies) {
    this.#dependencies = dependencies;
    this.#byName = byName(dependencies.stored.all());
  }

  /** Those that count now, in the order of their names. */
  get current(): readonly Waiver[] {
    return [...this.#byName.values()].filter((waiver) => !this.#isOver(waiver));
  }

  /**
   * @param rootsSequence of the roots that their gate was asked for
   * @throws WaiverRefusedError, WaiverError, LogError; whatever SQLite throws
   */
  async add(
    names: readonly string[],
    { operator, reason }: Claim,
    untilMs: number,
    rootsSequence: bigint,
  ): Promise<void> {
    const { stored, record, nowMs } = this.#dependencies;
    this.#assertPresent(rootsSequence);
    const createdAtMs = Math.floor(nowMs());
    assertNames(names);
    if (!(untilMs > createdAtMs && untilMs <= createdAtMs + longestMs)) {
      const message = "expected an end within 30 days from now";
      throw new WaiverRefusedError("waiver-until", message, { hint: "give --for, at most 30d" });
    }
    const subject = `until ${new Date(untilMs).toISOString()}`;
    const batches = inBatches(names);
    await Promise.all(
      batches.map((detail) => record({ type: "waiver", operator, reason, subject, detail })),
    );
    const given = { reason, operator, createdAtMs, untilMs, rootsSequence };
    stored.add(names.map((name) => ({ name, ...given })));
    this.#byName = byName(stored.all());
  }

  /** Forgets those that have ended. @throws whatever SQLite throws */
  prune(): void {
    const { stored, rootsSequence, nowMs } = this.#dependencies;
    if (![...this.#byName.values()].some((waiver) => this.#isOver(waiver))) return;
    stored.end(Math.floor(nowMs()), rootsSequence());
    this.#byName = byName(stored.all());
  }

  /** The rotation is over. @throws whatever SQLite throws */
  end(): void {
    if (this.#byName.size === 0) return;
    this.#dependencies.stored.endAll();
    this.#byName = new Map();
  }

  #isOver({ untilMs, rootsSequence }: Waiver): boolean {
    const { nowMs, rootsSequence: present } = this.#dependencies;
    return untilMs <= nowMs() || rootsSequence !== present();
  }

  #assertPresent(rootsSequence: bigint): void {
    if (rootsSequence === this.#dependencies.rootsSequence()) return;
    const message = "expected waivers for the roots of now, got some for others: nobody is waived";
    throw new WaiverRefusedError("waiver-stale", message, {
      hint: "the roots have changed since; who lags now: portcullis root status",
    });
  }
}

function byName(waivers: readonly Waiver[]): ReadonlyMap<string, Waiver> {
  return new Map(waivers.map((waiver) => [waiver.name, waiver]));
}

function assertNames(names: readonly string[]): void {
  if (names.length === 0 || names.length > namesMax) {
    const message = `expected 1 to ${namesMax} names, got ${names.length}`;
    throw new WaiverRefusedError("waiver-names", message);
  }
  const wrong = names.find((name) => !isWaivable(name));
  if (wrong === undefined) return;
  const message = `expected the name of a laggard, got ${JSON.stringify(wrong.slice(0, 100))}`;
  throw new WaiverRefusedError("waiver-names", message, { hint: "portcullis root status --all" });
}
