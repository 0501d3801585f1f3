/** Something that is done soon, once for all who ask for it meanwhile. */

export class Soon {
  readonly #later: (work: () => void) => void;
  readonly #work: () => void;
  #isAsked = false;

  constructor(later: (work: () => void) => void, work: () => void) {
    this.#later = later;
    this.#work = work;
  }

  ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#later(() => {
      this.#isAsked = false;
      this.#work();
    });
  }
}
