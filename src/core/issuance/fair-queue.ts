/**
 * Who is next at the signer. Newcomers, urgent renewals and renewals have a lane each, and lanes share the signer by
 * weight (stride scheduling, Waldspurger and Weihl 1995): 10,000 renewals at once keep no newcomer waiting, and a
 * flood of newcomers stops no renewal. In a lane identities take turns. The requests of one identity keep their
 * order.
 */

import { classify, type HeldCertificate, type IssuanceClass } from "./issuance-class.ts";
import { LinkedList, type Link } from "./linked-list.ts";

/** Of 7 in a row, newcomers get 4, urgent renewals 2 and renewals 1, as long as all of them wait. */
export const laneStrides: Readonly<Record<IssuanceClass, number>> = {
  newcomer: 1,
  urgent: 2,
  renewal: 4,
};

/** Waiting renewals are looked at this often for those that have become urgent: seldom enough that it costs nothing. */
const promotionIntervalMs = 1_000;

/** A place in the queue; only the queue looks into it. */
export interface Ticket<T> {
  readonly flow: Flow<T>;
  readonly link: Link<Waiting<T>>;
}

interface Waiting<T> {
  readonly item: T;
  readonly held: HeldCertificate | undefined;
}

/** All that waits of one identity, in order. Its first request decided its lane. */
interface Flow<T> {
  readonly identity: string;
  readonly waiting: LinkedList<Waiting<T>>;
  turn: Link<Flow<T>> | undefined;
}

interface Lane<T> {
  readonly stride: number;
  readonly turns: LinkedList<Flow<T>>;
  /** In virtual time: the lane with the earliest one is served next, and moves on by its stride. */
  passAt: number;
}

/** Its owner bounds it: that knows what else counts against the bound. */
export class FairQueue<T> {
  readonly #lanes: Readonly<Record<IssuanceClass, Lane<T>>> = {
    newcomer: { stride: laneStrides.newcomer, turns: new LinkedList(), passAt: 0 },
    urgent: { stride: laneStrides.urgent, turns: new LinkedList(), passAt: 0 },
    renewal: { stride: laneStrides.renewal, turns: new LinkedList(), passAt: 0 },
  };
  readonly #flows = new Map<string, Flow<T>>();
  /** Where the lane stood that was served last: a lane that was empty goes on from here, and has saved nothing up. */
  #virtualTime = 0;
  #promotedAtMs = Number.NEGATIVE_INFINITY;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many identities wait. */
  get identities(): number {
    return this.#flows.size;
  }

  /** @param held the newest certificate of the identity, by the log */
  push(item: T, identity: string, held: HeldCertificate | undefined, nowMs: number): Ticket<T> {
    let flow = this.#flows.get(identity);
    if (flow === undefined) {
      flow = { identity, waiting: new LinkedList(), turn: undefined };
      this.#flows.set(identity, flow);
    }
    const link = flow.waiting.append({ item, held });
    this.#size++;
    if (flow.turn === undefined) this.#giveTurn(flow, nowMs);
    return { flow, link };
  }

  /** The next requests, at most so many. What one costs does not grow with how many wait. */
  take(countMax: number, nowMs: number): T[] {
    this.#promote(nowMs);
    const taken: T[] = [];
    while (taken.length < countMax) {
      const lane = this.#nextLane();
      const flow = lane?.turns.first?.value;
      const next = flow?.waiting.first;
      if (lane === undefined || flow === undefined || next === undefined) break;
      this.#virtualTime = lane.passAt;
      lane.passAt += lane.stride;
      taken.push(next.value.item);
      flow.waiting.remove(next);
      this.#size--;
      this.#giveTurn(flow, nowMs);
    }
    return taken;
  }

  /** @returns false for one that was taken or removed before */
  remove({ flow, link }: Ticket<T>): boolean {
    if (!flow.waiting.remove(link)) return false;
    this.#size--;
    if (flow.waiting.length === 0) this.#endTurn(flow);
    return true;
  }

  #nextLane(): Lane<T> | undefined {
    let next: Lane<T> | undefined;
    for (const lane of [this.#lanes.newcomer, this.#lanes.urgent, this.#lanes.renewal]) {
      if (lane.turns.length === 0) continue;
      if (next === undefined || lane.passAt < next.passAt) next = lane;
    }
    return next;
  }

  /** The turn that it may have had is over; what still waits gets one at the end of its lane. */
  #giveTurn(flow: Flow<T>, nowMs: number): void {
    this.#endTurn(flow);
    const next = flow.waiting.first;
    if (next === undefined) return;
    const lane = this.#lanes[classify(next.value.held, nowMs)];
    if (lane.turns.length === 0) lane.passAt = Math.max(lane.passAt, this.#virtualTime);
    flow.turn = lane.turns.append(flow);
  }

  #endTurn(flow: Flow<T>): void {
    if (flow.turn !== undefined) flow.turn.list?.remove(flow.turn);
    flow.turn = undefined;
    if (flow.waiting.length === 0) this.#flows.delete(flow.identity);
  }

  #promote(nowMs: number): void {
    const sinceMs = nowMs - this.#promotedAtMs;
    if (sinceMs >= 0 && sinceMs < promotionIntervalMs) return;
    this.#promotedAtMs = nowMs;
    for (const { value: flow } of this.#lanes.renewal.turns) {
      const next = flow.waiting.first?.value;
      if (next !== undefined && classify(next.held, nowMs) !== "renewal") {
        this.#giveTurn(flow, nowMs);
      }
    }
  }
}
