/** The time of the log, kept: `core/log/log-clock` decides, this reads the clocks and says what changed. */

import {
  acceptLogClock,
  assertLogClock,
  readLogClock,
  startLogClock,
  type ClockReading,
  type LogClock,
  type LogClockStatus,
} from "../../../core/log/log-clock.ts";

export interface LogTimeDependencies {
  readonly read: () => ClockReading;
  /** At each change between good and stopped. */
  readonly onChange: (status: LogClockStatus) => void;
}

export class LogTime {
  readonly #dependencies: LogTimeDependencies;
  #clock: LogClock;

  /**
   * @param newestLogMs of the newest entry
   * @param acceptedWallMs of the newest acceptance, where the log has stood still since
   */
  constructor(
    dependencies: LogTimeDependencies,
    newestLogMs: number | undefined,
    acceptedWallMs?: number,
  ) {
    this.#dependencies = dependencies;
    this.#clock = startLogClock(newestLogMs, dependencies.read(), acceptedWallMs);
    if (this.#clock.status.kind === "stopped") dependencies.onChange(this.#clock.status);
  }

  /** The time for the next entry. @throws LogClockError while nothing may be signed */
  assertGood(): number {
    this.#look();
    assertLogClock(this.#clock);
    return this.#clock.logMs;
  }

  /** The time for an entry that must be written whatever the clock does. */
  nowMs(): number {
    this.#look();
    return this.#clock.logMs;
  }

  get status(): LogClockStatus {
    this.#look();
    return this.#clock.status;
  }

  /** An operator says that the clock is right. */
  accept(): void {
    this.#take(acceptLogClock(this.#clock, this.#dependencies.read()));
  }

  #look(): void {
    this.#take(readLogClock(this.#clock, this.#dependencies.read()));
  }

  #take(next: LogClock): void {
    const before = this.#clock.status.kind;
    this.#clock = next;
    if (next.status.kind !== before) this.#dependencies.onChange(next.status);
  }
}
