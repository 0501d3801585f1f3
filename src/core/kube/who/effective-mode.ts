/** How the existence behind a token is checked now: by the watch's caches while they are current, else by asking the API server. */

/** As operators set it. */
export type TokenCheck = "watched" | "review" | "review-always";

export interface WatchMoments {
  /** Until when all that happened is in the cache for certain: the list's begin, then each message of the watch. Undefined: never. */
  readonly heardMs: number | undefined;
  /** Since when the stream that is open now is so; undefined: none is. */
  readonly openedMs: number | undefined;
}

/** What was waiting for a new stream has come by then. */
const settleMs = 1_000;

/**
 * Until when the cache is known to be current. A silent stream is as current as its API server is alive; one that is cut is not.
 * @param aliveMs when the last question began that the API server answered; undefined: none
 */
export function currentUntilMs(
  { heardMs, openedMs }: WatchMoments,
  aliveMs: number | undefined,
): number | undefined {
  if (heardMs === undefined || openedMs === undefined || aliveMs === undefined) return heardMs;
  return aliveMs >= openedMs + settleMs ? Math.max(heardMs, aliveMs) : heardMs;
}

/**
 * The way back to `watched` asks for half the limit, so that an API server on the edge does not change it with each answer.
 * @param now what holds at the moment
 * @param staleMs of the cache that is the most stale; undefined: one has never been filled
 */
export function effectiveMode(
  configured: TokenCheck,
  now: TokenCheck,
  staleMs: number | undefined,
  limitMs: number,
): TokenCheck {
  if (configured !== "watched") return configured;
  const mostMs = now === "watched" ? limitMs : limitMs / 2;
  // Written so that a clock that reads NaN asks the API server.
  return staleMs !== undefined && staleMs <= mostMs ? "watched" : "review";
}
