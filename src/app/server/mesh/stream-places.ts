/** Places for agents' streams: so many in all, and so many of one identity, which must not take all by agents it makes up. */

export interface StreamPlacesLimits {
  readonly all: number;
  readonly perIdentity: number;
}

export class StreamPlaces {
  readonly #limits: StreamPlacesLimits;
  readonly #perIdentity = new Map<string, number>();
  #taken = 0;

  constructor(limits: StreamPlacesLimits) {
    this.#limits = limits;
  }

  /** @returns whether there was one */
  take(identity: string): boolean {
    const ofIdentity = this.#perIdentity.get(identity) ?? 0;
    const { all, perIdentity } = this.#limits;
    if (this.#taken >= all || ofIdentity >= perIdentity) return false;
    this.#taken++;
    this.#perIdentity.set(identity, ofIdentity + 1);
    return true;
  }

  release(identity: string): void {
    this.#taken--;
    const left = (this.#perIdentity.get(identity) ?? 1) - 1;
    if (left === 0) this.#perIdentity.delete(identity);
    else this.#perIdentity.set(identity, left);
  }
}
