/** By when a webhook's question must be answered: an API server says how long it waits, in the query of the URL. */

/** Of an API server that is told nothing. */
const secondsDefault = 10;
/** What is left for the way there and back. */
const shareForUs = 0.8;

/** @param url such as `/validate?timeout=10s` @returns ms from now on */
export function questionDeadlineMs(url: string): number {
  const query = new URLSearchParams(url.split("?")[1] ?? "");
  const [, number] = /^(\d{1,2})s$/.exec(query.get("timeout") ?? "") ?? [];
  // 30 s is the longest that a webhook may be given.
  const seconds = Math.min(30, Math.max(1, Number(number ?? secondsDefault)));
  return seconds * 1_000 * shareForUs;
}
