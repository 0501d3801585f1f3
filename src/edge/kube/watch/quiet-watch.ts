/** Whether a watch is silent because nothing happens: of a kind that nobody has changed since the API server's start it tells no bookmarks either. */

export interface Silence {
  readonly nowMs: number;
  /** When the last question began that the API server answered over the same connection. */
  readonly aliveMs: number | undefined;
  /** When the watch was asked to end, and some time: what is open after that is dead. */
  readonly untilMs: number;
}

/** One question each second and a second for each. */
const aliveMaxMs = 3_000;

export function isQuiet({ nowMs, aliveMs, untilMs }: Silence): boolean {
  return aliveMs !== undefined && nowMs - aliveMs < aliveMaxMs && nowMs < untilMs;
}
