/** How far behind evidence may be: what is newer may still be on its way, and nobody is called silent for it. */

/** An agent reports every 10 s, and one that comes back says all that it has missed. */
export const lagMs = 30_000;

/** Until then evidence is due. However short a look-back is, something of it must be covered. */
export function dueMs(nowMs: number, lookBackMs: number, lag: number = lagMs): number {
  return nowMs - Math.min(lag, lookBackMs / 2);
}
