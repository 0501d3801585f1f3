/**
 * Of whom something was told, acknowledged and not kept, for want of room: when there is room, nothing that is told of their proxies covers
 * the time of it.
 */

/** An agent's clock may be ahead of the server's. */
const aheadMsMax = 60_000;
/** Beyond, the oldest ones count for everybody. */
const identitiesMax = 4_096;

export class UnkeptIdentities {
  /** By SPIFFE ID, the one that was told of the longest ago first. */
  readonly #untilMs = new Map<string, number>();
  #allUntilMs = 0;

  add(spiffeId: string, nowMs: number): void {
    this.#untilMs.delete(spiffeId);
    this.#untilMs.set(spiffeId, Math.floor(nowMs) + aheadMsMax);
    if (this.#untilMs.size <= identitiesMax) return;
    const [oldest] = this.#untilMs;
    if (oldest === undefined) return;
    this.#untilMs.delete(oldest[0]);
    this.#allUntilMs = Math.max(this.#allUntilMs, oldest[1]);
  }

  /** Before it nothing is covered of a proxy that comes now; 0 for all of it. */
  untilMs(spiffeId: string): number {
    return Math.max(this.#allUntilMs, this.#untilMs.get(spiffeId) ?? 0);
  }
}
