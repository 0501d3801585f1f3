/**
 * The deny list of a running server. A change is durable in the log first, then in the store, and then in force: at once,
 * for whoever asks next. So an event in the log says what was ordered, also where the server ended before it was done.
 */

import type { Denial, NewDenial } from "../../core/deny/denial.ts";
import { assertNotDenied, type DenyList } from "../../core/deny/deny-list.ts";
import type { Entry } from "../../core/log/entry.ts";
import type { TrustState } from "../../core/trust/trust-state.ts";
import type { StoredDenials } from "../../edge/store/denials.ts";
import { addedEvent, endedEvents, removedEvent, type DenialEvent } from "./denial-events.ts";
import type { Claim } from "./operator-command.ts";

export interface DenialsDependencies {
  readonly stored: Pick<StoredDenials, "load" | "replace">;
  readonly writer: { append(entries: readonly Entry[]): Promise<unknown> };
  /** The trust state is another one now: of a higher epoch, and the bundle is what it was. */
  readonly onStored: (state: TrustState) => void;
  /** Of the log. */
  readonly nowMs: () => number;
  /** What has come for certain: a wall clock that was set forward must not end a denial. */
  readonly provenMs: () => number;
}

export class Denials {
  readonly #dependencies: DenialsDependencies;
  #list: DenyList;
  /** One change at a time: each follows from the one before it. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #listeners = new Set<() => void>();

  /** @throws StoreError, DenyListError, TrustStateError */
  constructor(dependencies: DenialsDependencies) {
    this.#dependencies = dependencies;
    this.#list = dependencies.stored.load();
  }

  get list(): DenyList {
    return this.#list;
  }

  /**
   * @param serialHex of the certificate that the caller came with
   * @throws DeniedError that the caller may read
   */
  assertNotDenied(identity: string, serialHex: string | undefined): void {
    // Nobody whom it does not name waits for the time: where the wall clock is ahead, all agents are asked for theirs.
    if (this.#list.find(identity, serialHex, -Infinity) === undefined) return;
    assertNotDenied(this.#list, identity, serialHex, this.#dependencies.provenMs());
  }

  /** After each change, once it is in force; until it is disposed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Between two changes of the list: what must not overlap with one. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return await done;
  }

  /**
   * @throws DenyListError `denial-invalid`, `deny-list-full`; LogError; whatever SQLite throws. Then nothing is in force that
   * was not; where SQLite throws, the log has the order all the same, and the next start may carry it out.
   */
  async add(denial: Omit<NewDenial, "createdAtMs">): Promise<Denial> {
    const list = await this.#change(
      (before, createdAtMs) => before.add({ ...denial, createdAtMs }),
      (after) => [addedEvent(newestOf(after), after)],
    );
    return newestOf(list);
  }

  /** @throws DenyListError `denial-unknown`; LogError; whatever SQLite throws. Then it stays in force, as for `add`. */
  async remove(sequence: number, claim: Claim): Promise<Denial> {
    let removed: Denial | undefined;
    await this.#change(
      (before) => {
        removed = before.denials.find((denial) => denial.sequence === sequence);
        return before.remove(sequence);
      },
      (after) => (removed === undefined ? [] : [removedEvent(removed, after, claim)]),
    );
    if (removed === undefined) throw new TypeError("a denial was removed that was not there");
    return removed;
  }

  /** Forgets those that have ended. @returns how many. @throws LogError; whatever SQLite throws */
  async prune(): Promise<number> {
    const { provenMs } = this.#dependencies;
    if (this.#list.prune(provenMs()) === this.#list) return 0;
    let ended: readonly number[] = [];
    await this.#change(
      (before) => {
        const after = before.prune(provenMs());
        const kept = new Set(after.denials);
        ended = before.denials.filter((each) => !kept.has(each)).map(({ sequence }) => sequence);
        return after;
      },
      (after) => endedEvents(ended, after),
    );
    return ended.length;
  }

  async #change(
    next: (before: DenyList, nowMs: number) => DenyList,
    eventsOf: (after: DenyList) => readonly DenialEvent[],
  ): Promise<DenyList> {
    const { writer, stored, onStored, nowMs } = this.#dependencies;
    return await this.inTurn(async () => {
      const before = this.#list;
      const timeMs = Math.floor(nowMs());
      const after = next(before, timeMs);
      if (after === before) return after;
      await writer.append(eventsOf(after).map((event) => ({ ...event, timeMs })));
      const state = stored.replace(before, after);
      this.#list = after;
      onStored(state);
      for (const listener of this.#listeners) listener();
      return after;
    });
  }
}

function newestOf(list: DenyList): Denial {
  const newest = list.denials.at(-1);
  if (newest === undefined) throw new TypeError("a denial was added that is not there");
  return newest;
}
