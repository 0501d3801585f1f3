/**
 * Waivers of callers, and of proxies whose evidence is missing, of a running server: a flip goes on without them, until when, and on whose
 * word. Each name stands in the log before it counts.
 */

import { compareText } from "../../../core/compare-text.ts";
import { targetKey, type FlipTarget } from "../../../core/flip/target.ts";
import type { CallerWaiver, StoredCallerWaivers } from "../../../edge/store/caller-waivers.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import { CommandError, type Claim } from "../operator-command.ts";
import { inBatches } from "../name-batches.ts";

export interface CallerWaiversDependencies {
  readonly stored: StoredCallerWaivers;
  readonly record: LogKeeper["event"];
  /** Others count than before. */
  readonly onChange: () => void;
  readonly nowMs: () => number;
}

const namesMax = 10_000;
const longestMs = 30 * 86_400_000;
/** As a verdict has them. */
const namePattern = /^[!-~]{1,512}$/;

export class CallerWaivers {
  readonly #dependencies: CallerWaiversDependencies;
  #byTarget: ReadonlyMap<string, readonly CallerWaiver[]>;

  /** @throws whatever SQLite throws */
  constructor(dependencies: CallerWaiversDependencies) {
    this.#dependencies = dependencies;
    this.#byTarget = byTarget(dependencies.stored.all());
  }

  /** Those that count now, in the order of their targets and names. */
  get current(): readonly CallerWaiver[] {
    const nowMs = this.#dependencies.nowMs();
    const current = [...this.#byTarget.values()].flat().filter(({ untilMs }) => untilMs > nowMs);
    return current.toSorted(
      (a, b) => compareText(a.targetText, b.targetText) || compareText(a.name, b.name),
    );
  }

  /** Those that count for it now: its own, and for a port those of all of its ports. By name. */
  of(target: FlipTarget): readonly CallerWaiver[] {
    const nowMs = this.#dependencies.nowMs();
    return this.#kept(target).filter(({ untilMs }) => untilMs > nowMs);
  }

  /** By name, until when it counts or has counted, as far as is kept: what was refused while it did does not count when it has ended. */
  untilOf(target: FlipTarget): ReadonlyMap<string, number> {
    const until = new Map<string, number>();
    for (const { name, untilMs } of this.#kept(target)) {
      until.set(name, Math.max(untilMs, until.get(name) ?? 0));
    }
    return until;
  }

  namesOf(target: FlipTarget): ReadonlySet<string> {
    return new Set(this.of(target).map(({ name }) => name));
  }

  /** @throws CommandError, CallerWaiverError, LogError; whatever SQLite throws */
  async add(
    target: FlipTarget,
    names: readonly string[],
    { operator, reason }: Claim,
    untilMs: number,
  ): Promise<void> {
    const { record, nowMs } = this.#dependencies;
    const createdAtMs = Math.floor(nowMs());
    assertNames(names);
    if (!(untilMs > createdAtMs && untilMs <= createdAtMs + longestMs)) {
      throw new CommandError("command-waiver", "expected an end within 30 days from now");
    }
    const subject = `until ${new Date(untilMs).toISOString()}`;
    // Which target it is for, in a line of its own.
    const batches = inBatches(names, `target ${target.text}`);
    await Promise.all(
      batches.map((detail) => record({ type: "waiver", operator, reason, subject, detail })),
    );
    const key = { target: targetKey(target), targetText: target.text };
    const given = { ...key, reason, operator, createdAtMs, untilMs };
    this.#store(names.map((name) => ({ ...given, name })));
  }

  /**
   * It does not count from now on; what was refused while it did is still not counted.
   * @param waiver of those that count @returns as it is kept @throws LogError; whatever SQLite throws
   */
  async end(waiver: CallerWaiver, { operator, reason }: Claim): Promise<CallerWaiver> {
    const { record, nowMs } = this.#dependencies;
    const detail = `target ${waiver.targetText}\n${waiver.name}`;
    await record({ type: "waiver", operator, reason, subject: "ended", detail });
    const ended = { ...waiver, untilMs: Math.min(waiver.untilMs, Math.floor(nowMs())) };
    this.#store([ended]);
    return ended;
  }

  /** Forgets those that have ended. @param keptSinceMs those that have ended since are asked for @throws whatever SQLite throws */
  prune(keptSinceMs: number): void {
    const { stored, nowMs, onChange } = this.#dependencies;
    const byMs = Math.floor(Math.min(nowMs(), keptSinceMs));
    const hasEnded = ({ untilMs }: CallerWaiver): boolean => untilMs <= byMs;
    if (![...this.#byTarget.values()].some((all) => all.some(hasEnded))) return;
    stored.end(byMs);
    this.#byTarget = byTarget(stored.all());
    onChange();
  }

  #store(waivers: readonly CallerWaiver[]): void {
    const { stored, onChange } = this.#dependencies;
    stored.add(waivers);
    this.#byTarget = byTarget(stored.all());
    onChange();
  }

  #kept(target: FlipTarget): readonly CallerWaiver[] {
    const keys = new Set([targetKey(target), targetKey({ ...target, ports: [] })]);
    return [...keys].flatMap((key) => this.#byTarget.get(key) ?? []);
  }
}

function byTarget(waivers: readonly CallerWaiver[]): ReadonlyMap<string, readonly CallerWaiver[]> {
  return Map.groupBy(waivers, ({ target }) => target);
}

function assertNames(names: readonly string[]): void {
  if (names.length === 0 || names.length > namesMax) {
    const message = `expected 1 to ${namesMax} names, got ${names.length}`;
    throw new CommandError("command-waiver", message);
  }
  const wrong = names.find((name) => !namePattern.test(name));
  if (wrong === undefined) return;
  const got = JSON.stringify(wrong.slice(0, 100));
  const message = `expected a name as a verdict has it, got ${got}`;
  throw new CommandError("command-waiver", message);
}
