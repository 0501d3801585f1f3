/**
 * What an agent can answer for of one life of an Envoy: its counters, which come each second, against what it tells of each connection.
 * Whoever comes in the middle of a life begins with a flush, unless nothing without mTLS was counted before.
 */

import { isPlainChain } from "./chain-names.ts";
import type { CountsFlush, ToldConnection } from "./connection-counts.ts";
import { ConnectionPorts, type AccountedPorts } from "./connection-ports.ts";
import { isSameLife, newLife, type EnvoyLife } from "./envoy-life.ts";

export interface Accounted extends AccountedPorts {
  /** When the life began; whole seconds are all that Envoy says of it. Undefined before the first flush. */
  readonly epochMs: number | undefined;
}

/** Entries come at once. What is later, or early, is of a connection during which the clock was set: Envoy adds to its beginning. */
const lateMs = 3_000;

export class ConnectionAccount {
  readonly #ports = new ConnectionPorts();
  #life: EnvoyLife | undefined;
  /** When something was told last, and when counters were taken last. */
  #nowMs = -Infinity;
  #takenMs = -Infinity;
  /** The next flush does not go on from the last one. */
  #isApart = false;

  /**
   * Of one that has begun, or goes on: of those with mTLS nothing is kept.
   * @returns how many connections it tells of that were not told before
   */
  opened(told: ToldConnection, nowMs: number): number {
    this.#look(nowMs);
    if (!isPlainChain(told.chain)) return 0;
    return Number(this.#ports.namedOf(told.seen.port).opened(told, nowMs));
  }

  /** @param nowMs by the clock of Envoy's host @returns as `opened` */
  ended(told: ToldConnection, nowMs: number): number {
    this.#look(nowMs);
    const { chain, seen } = told;
    const { port, lastMs } = seen;
    const endMs = lastMs < nowMs - lateMs || lastMs > nowMs ? nowMs : lastMs;
    const isKnown = isPlainChain(chain) && this.#ports.namedOf(port).ended(told, endMs);
    this.#ports.tell(port, { chain, endMs, toldMs: nowMs });
    return isKnown ? 0 : 1;
  }

  /**
   * @param isOtherStream of counters, than the one before
   * @returns whether it is of this life of the Envoy; of another nothing is taken, and this one has ended
   */
  flush(flush: CountsFlush, nowMs: number, isOtherStream = false): boolean {
    const { takenMs, uptimeSeconds, ports } = flush;
    this.#look(nowMs);
    // Taken before the clock was set back: the next one has it all.
    if (takenMs > nowMs) return true;
    const life = this.#life;
    if (life === undefined) {
      this.#life = newLife(flush);
      this.#ports.begin(this.#life, ports.keys());
    } else {
      if (!isSameLife(life, flush, isOtherStream)) return false;
      if (takenMs < this.#takenMs) this.#clockSetBack(takenMs);
      [life.takenMs, life.uptimeSeconds] = [takenMs, uptimeSeconds];
    }
    this.#takenMs = takenMs;
    this.#ports.flush(flush, this.#isApart);
    this.#isApart = false;
    return true;
  }

  /** What lies between the last flush and the next one nobody has seen. */
  clockSetForward(): void {
    this.#isApart = true;
  }

  /** No flush of it will come any more. */
  end(): void {
    this.#ports.end();
  }

  take(): Accounted {
    return { epochMs: this.#life?.epochMs, ...this.#ports.take() };
  }

  #look(nowMs: number): void {
    if (nowMs < Math.max(this.#nowMs, this.#takenMs)) this.#clockSetBack(nowMs);
    this.#nowMs = nowMs;
  }

  #clockSetBack(nowMs: number): void {
    this.#takenMs = -Infinity;
    this.#ports.clockSetBack(nowMs);
  }
}
