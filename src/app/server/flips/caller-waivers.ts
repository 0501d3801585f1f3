/**
 * Waivers of callers, and of proxies whose evidence is missing, of a running server: a flip goes on without them, until when, and on whose
 * word. Each name stands in the log before it counts.
 */

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

  /** Those that count for it now: its own, and for a port those of all of its ports. By name. */
  of(target: FlipTarget): readonly CallerWaiver[] {
    const keys = new Set([targetKey(target), targetKey({ ...target, ports: [] })]);
    const nowMs = this.#dependencies.nowMs();
    return [...keys].flatMap((key) =>
      (this.#byTarget.get(key) ?? []).filter(({ untilMs }) => untilMs > nowMs),
    );
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
    const { stored, record, nowMs, onChange } = this.#dependencies;
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
    const given = { target: targetKey(target), reason, operator, createdAtMs, untilMs };
    stored.add(names.map((name) => ({ ...given, name })));
    this.#byTarget = byTarget(stored.all());
    onChange();
  }

  /** Forgets those that have ended. @throws whatever SQLite throws */
  prune(): void {
    const { stored, nowMs, onChange } = this.#dependencies;
    const now = Math.floor(nowMs());
    const hasEnded = ({ untilMs }: CallerWaiver): boolean => untilMs <= now;
    if (![...this.#byTarget.values()].some((all) => all.some(hasEnded))) return;
    stored.end(now);
    this.#byTarget = byTarget(stored.all());
    onChange();
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
