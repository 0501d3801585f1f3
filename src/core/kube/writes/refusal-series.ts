/**
 * Refusals of one object for one reason, told as one Event with a count (events.k8s.io/v1, `series`). The first is told at once, those
 * after it together and seldom; after a pause it is another Event. There is room for so many: whoever makes more is counted, not told.
 */

export interface RefusalSubject {
  readonly kind: "Pod" | "ServiceAccount";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
}

export interface RefusalSeries {
  readonly subject: RefusalSubject;
  readonly code: string;
  readonly count: number;
  readonly lastMs: number;
  /** How many of `count` the Event says; 0: there is none yet. */
  readonly toldCount: number;
  readonly toldMs: number;
}

/** Between two writes of one Event. */
const restMs = 30_000;
/** After this it is another Event: client-go's series end after six minutes. */
const pauseMs = 360_000;

export class RefusalSeriesTable {
  readonly #max: number;
  /** In the order of their last refusals. */
  readonly #all = new Map<string, RefusalSeries>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns the series' key; undefined where there is no room */
  take(subject: RefusalSubject, code: string, nowMs: number): string | undefined {
    this.#dropOld(nowMs);
    const key = [subject.kind, subject.namespace, subject.name, subject.uid, code].join("/");
    const known = this.#all.get(key);
    if (known === undefined && this.#all.size >= this.#max) return undefined;
    this.#all.delete(key);
    const before = known ?? { count: 0, toldCount: 0, toldMs: Number.NEGATIVE_INFINITY };
    this.#all.set(key, { ...before, subject, code, count: before.count + 1, lastMs: nowMs });
    return key;
  }

  find(key: string): RefusalSeries | undefined {
    return this.#all.get(key);
  }

  /** When it may be told; undefined: all of it has been. */
  dueMs(key: string): number | undefined {
    const series = this.#all.get(key);
    if (series === undefined || series.toldCount === series.count) return undefined;
    return series.toldCount === 0 ? Number.NEGATIVE_INFINITY : series.toldMs + restMs;
  }

  told(key: string, count: number, nowMs: number): void {
    const series = this.#all.get(key);
    if (series !== undefined) this.#all.set(key, { ...series, toldCount: count, toldMs: nowMs });
  }

  /** What was told of it is gone: it begins anew with its next refusal. */
  forget(key: string): void {
    this.#all.delete(key);
  }

  #dropOld(nowMs: number): void {
    for (const [key, { lastMs }] of this.#all) {
      if (nowMs - lastMs < pauseMs) return;
      this.#all.delete(key);
    }
  }
}
