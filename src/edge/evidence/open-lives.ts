/** Lives that are not over, by proxy. They are read when they are asked for first, and again when what was written last is not there. */

import type { LifeRow, LifeRows } from "./life-rows.ts";

export interface Life extends LifeRow {
  lostMs: number;
  /** Of its Envoy, as it was told last; undefined until then. */
  epochMs: number | undefined;
}

export class OpenLives {
  readonly #rows: LifeRows;
  #open: Map<string, Life> | undefined;

  constructor(rows: LifeRows) {
    this.#rows = rows;
  }

  forget(): void {
    this.#open = undefined;
  }

  has(proxy: string): boolean {
    return this.#lives().has(proxy);
  }

  get(proxy: string): Life | undefined {
    return this.#lives().get(proxy);
  }

  set(proxy: string, life: Life): Life {
    this.#lives().set(proxy, life);
    return life;
  }

  delete(proxy: string): void {
    this.#lives().delete(proxy);
  }

  #lives(): Map<string, Life> {
    this.#open ??= new Map(
      Array.from(this.#rows.open(), ([proxy, row]): [string, Life] => [
        proxy,
        { ...row, epochMs: undefined },
      ]),
    );
    return this.#open;
  }
}
