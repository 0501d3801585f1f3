/**
 * Whether an identity has an unexpired certificate, asked often and of many who are away. The newest certificate's end only moves on, so
 * the log is asked once, and again when that has passed.
 */

/** Each costs a query; the others are asked at the next look. */
const askedPerLookMax = 200;

export class CertificateEnds {
  readonly #newestNotAfterMs: (spiffeId: string) => number;
  /** Of those asked for at the last look. */
  #known: ReadonlyMap<string, number> = new Map();

  constructor(newestNotAfterMs: (spiffeId: string) => number) {
    this.#newestNotAfterMs = newestNotAfterMs;
  }

  /** One look, at all who are away. */
  begin(nowMs: number): { readonly haveEnded: (spiffeId: string) => boolean } {
    const before = this.#known;
    const known = new Map<string, number>();
    this.#known = known;
    let asked = 0;
    const haveEnded = (spiffeId: string): boolean => {
      const last = known.get(spiffeId) ?? before.get(spiffeId);
      const isDue = !known.has(spiffeId) && (last === undefined || nowMs >= last);
      if (isDue && asked >= askedPerLookMax) return false;
      if (isDue) asked++;
      const endsAtMs = isDue || last === undefined ? this.#newestNotAfterMs(spiffeId) : last;
      known.set(spiffeId, endsAtMs);
      return nowMs >= endsAtMs;
    };
    return { haveEnded };
  }
}
