/**
 * Members: lives of proxies. A proxy that went and came back has two, and one whose labels change ends one and begins the next where the
 * evidence of the first ends: so what was seen under other labels is found under those.
 */

import type { DatabaseSync } from "node:sqlite";
import type { GoneChange, MemberChange } from "./evidence-change.ts";
import { LifeRows, type FormerLife, type LifeRow } from "./life-rows.ts";

export interface Life extends LifeRow {
  /** Of its Envoy, as it was told last; undefined until then. */
  epochMs: number | undefined;
}

/** An agent reckons when its Envoy began: no Envoy begins twice within this time and goes on where it was. */
const epochJitterMs = 2_000;

export class MemberTable {
  readonly #rows: LifeRows;
  /** Those that are not gone, by proxy; undefined until they are read. */
  #open: Map<string, Life> | undefined;

  constructor(database: DatabaseSync) {
    this.#rows = new LifeRows(database);
  }

  /** What was written last is not there. */
  forget(): void {
    this.#open = undefined;
  }

  told(change: MemberChange): void {
    const { proxy, labels, atMs } = change;
    const life = this.#lives().get(proxy);
    if (life?.labels === labels) return;
    if (life?.labels === "") {
      this.#rows.label(life.id, labels);
      this.#set(proxy, { ...life, labels });
      return;
    }
    const bornMs = life === undefined ? atMs : this.#split(life, atMs);
    const id = this.#rows.insert(change, bornMs);
    this.#lives().set(proxy, { id, bornMs, labels, epochMs: life?.epochMs });
  }

  gone({ proxy, atMs }: GoneChange): void {
    const life = this.#lives().get(proxy);
    if (life === undefined) return;
    this.#rows.end(life.id, Math.max(atMs, life.bornMs));
    this.#lives().delete(proxy);
  }

  /** The life that a report of this life of its Envoy is about. @returns undefined for a proxy that nobody has told of */
  reported(proxy: string, epochMs: number): Life | undefined {
    const life = this.#lives().get(proxy);
    if (life === undefined) return undefined;
    if (life.epochMs === undefined) return this.#first(proxy, life, epochMs);
    if (!isSameEpoch(epochMs, life.epochMs)) life.epochMs = epochMs;
    return life;
  }

  /** Up to there what was seen is told, and nothing is told twice. @returns where it ends */
  #split(life: Life, atMs: number): number {
    const untilMs = this.#rows.lastSpan(life.id)?.untilMs ?? atMs;
    const goneMs = Math.max(untilMs, life.bornMs);
    this.#rows.end(life.id, goneMs);
    return goneMs;
  }

  /** Its first report, in this life or in this process. */
  #first(proxy: string, life: Life, epochMs: number): Life {
    life.epochMs = this.#knownEpoch(life.id, epochMs);
    if (this.#rows.lastSpan(life.id) !== undefined) return life;
    const former = this.#rows.former(proxy, life.id);
    const isSame = former?.labels === life.labels && epochMs <= former.goneMs;
    if (isSame && !this.#rows.hasCallers(life.id)) {
      return this.#reopen(proxy, life, former, epochMs);
    }
    // Its Envoy was there before the server heard of it.
    const bornMs = Math.max(this.#rows.createdMs, former?.goneMs ?? 0, epochMs);
    if (bornMs >= life.bornMs) return life;
    this.#rows.begin(life.id, bornMs);
    return this.#set(proxy, { ...life, bornMs });
  }

  /** Its Envoy had been there all along. */
  #reopen(proxy: string, life: Life, former: FormerLife, epochMs: number): Life {
    const { id, labels, bornMs } = former;
    this.#rows.delete(life.id);
    this.#rows.end(id, undefined);
    return this.#set(proxy, { id, labels, bornMs, epochMs: this.#knownEpoch(id, epochMs) });
  }

  /** As it was first reckoned. */
  #knownEpoch(id: number, epochMs: number): number {
    const known = this.#rows.lastSpan(id)?.epochMs;
    return known !== undefined && isSameEpoch(known, epochMs) ? known : epochMs;
  }

  #set(proxy: string, life: Life): Life {
    this.#lives().set(proxy, life);
    return life;
  }

  #lives(): Map<string, Life> {
    if (this.#open === undefined) {
      const rows = Array.from(this.#rows.open(), ([proxy, row]): [string, Life] => [
        proxy,
        { ...row, epochMs: undefined },
      ]);
      this.#open = new Map(rows);
    }
    return this.#open;
  }
}

function isSameEpoch(a: number, b: number): boolean {
  return Math.abs(a - b) <= epochJitterMs;
}
