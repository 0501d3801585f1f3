/**
 * Members: lives of proxies. A proxy that went and came back has two, and one whose labels change ends one and begins the next: what
 * was seen under other labels is found under those, also where it is told afterwards.
 */

import type { DatabaseSync } from "node:sqlite";
import type { GoneChange, MemberChange } from "./evidence-change.ts";
import { FoldedLives } from "./folded-lives.ts";
import type { IdentityShares } from "./identity-shares.ts";
import { LifeRows, type FormerLife, type LifeRow } from "./life-rows.ts";
import { OpenLives, type Life } from "./open-lives.ts";
import { memberOctets } from "./row-octets.ts";

/** An agent reckons when its Envoy began: no Envoy begins twice within this time and goes on where it was. */
const epochJitterMs = 2_000;
/** An agent's clock may be ahead of the server's. */
const aheadMsMax = 60_000;

export class MemberTable {
  readonly #rows: LifeRows;
  readonly #folded: FoldedLives;
  readonly #shares: IdentityShares;
  readonly #open: OpenLives;

  constructor(database: DatabaseSync, shares: IdentityShares) {
    this.#rows = new LifeRows(database);
    this.#open = new OpenLives(this.#rows);
    this.#folded = new FoldedLives(database, shares);
    this.#shares = shares;
  }

  /** What was written last is not there. */
  forget(): void {
    this.#open.forget();
    this.#folded.forget();
  }

  /** Some that are over are not there any more. */
  pruned(): void {
    this.#folded.forget();
  }

  told(change: MemberChange): void {
    const { proxy, labels, atMs } = change;
    const life = this.#open.get(proxy);
    if (life?.labels === labels) return;
    if (life?.labels === "") {
      this.#rows.label(life.id, labels);
      this.#open.set(proxy, { ...life, labels });
      return;
    }
    const { spiffeId } = change;
    const bornMs = life === undefined ? atMs : this.#split(life, atMs);
    const before = life ?? this.#rows.former(proxy, Number.MAX_SAFE_INTEGER);
    const lostMs = Math.max(before?.lostMs ?? 0, change.lostMs ?? 0);
    const id = this.#rows.insert(change, bornMs, lostMs);
    this.#open.set(proxy, { id, spiffeId, bornMs, labels, lostMs, epochMs: life?.epochMs });
    this.#shares.add(spiffeId, memberOctets(change));
    this.#folded.added(spiffeId, atMs, (other) => this.#open.has(other));
  }

  /** Something of it was told, and is not kept: until a while from now nothing that is told covers anything. */
  lost(life: Life, atMs: number): void {
    const lostMs = Math.floor(atMs) + aheadMsMax;
    life.lostMs = Math.max(life.lostMs, lostMs);
    this.#rows.lose(life.id, lostMs);
  }

  gone({ proxy, atMs }: GoneChange): void {
    const life = this.#open.get(proxy);
    if (life === undefined) return;
    this.#rows.end(life.id, Math.max(atMs, life.bornMs));
    this.#open.delete(proxy);
  }

  /** The life that a report of this life of its Envoy is about. @returns undefined for a proxy that nobody has told of */
  reported(proxy: string, epochMs: number): Life | undefined {
    const life = this.#open.get(proxy);
    if (life === undefined) return undefined;
    if (life.epochMs === undefined) return this.#first(proxy, life, epochMs);
    if (!isSameEpoch(epochMs, life.epochMs)) life.epochMs = epochMs;
    return life;
  }

  /** The life of a proxy that ended where this one began: what is told of the time before, is told of that. */
  formerOf(proxy: string, { id, bornMs }: LifeRow): LifeRow | undefined {
    const former = this.#rows.former(proxy, id);
    return former?.goneMs === bornMs ? former : undefined;
  }

  /** @returns where it ends: what its agent has told is told of it, also where its clock is ahead */
  #split(life: Life, atMs: number): number {
    const untilMs = this.#rows.lastSpan(life.id)?.untilMs ?? atMs;
    const goneMs = Math.max(untilMs, life.bornMs, Math.floor(atMs));
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
    return this.#open.set(proxy, { ...life, bornMs });
  }

  /** Its Envoy had been there all along. */
  #reopen(proxy: string, life: Life, former: FormerLife, epochMs: number): Life {
    const { id, spiffeId, labels, bornMs } = former;
    const { lostMs } = life;
    this.#rows.delete(life.id);
    this.#folded.forget();
    this.#rows.end(id, undefined);
    this.#rows.lose(id, lostMs);
    const again = { id, spiffeId, labels, bornMs, lostMs };
    return this.#open.set(proxy, { ...again, epochMs: this.#knownEpoch(id, epochMs) });
  }

  /** As it was first reckoned. */
  #knownEpoch(id: number, epochMs: number): number {
    const known = this.#rows.lastSpan(id)?.epochMs;
    return known !== undefined && isSameEpoch(known, epochMs) ? known : epochMs;
  }
}

function isSameEpoch(a: number, b: number): boolean {
  return Math.abs(a - b) <= epochJitterMs;
}
