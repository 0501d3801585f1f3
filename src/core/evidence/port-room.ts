/** Room for so many of all ports of an Envoy together: who calls many ports of it costs no more memory than who calls one. */
export class PortRoom {
  #left: number;

  constructor(max: number) {
    this.#left = max;
  }

  /** @returns whether there was room for one more */
  take(): boolean {
    if (this.#left <= 0) return false;
    this.#left -= 1;
    return true;
  }

  give(count: number): void {
    this.#left += count;
  }
}
