/** All flips that a server knows: those under way, and the last one of each target. Each change is in the log, then in the store. */

import { encodeFlip, parseFlip } from "../../../core/flip/flip-codec.ts";
import { hasEnded, type Flip } from "../../../core/flip/flip.ts";
import { targetKey } from "../../../core/flip/target.ts";
import type { StoredFlips } from "../../../edge/store/flips.ts";
import type { LogEvent } from "../log/log-keeper.ts";
import { flipEvent } from "./flip-event.ts";

export interface FlipRegisterDependencies {
  readonly stored: Pick<StoredFlips, "all" | "put">;
  /** Durable in the transparency log when it resolves. */
  readonly record: (event: LogEvent) => Promise<void>;
}

/** Beyond, the oldest that have ended are forgotten. */
const flipsMax = 1_000;

export class FlipRegister {
  readonly #dependencies: FlipRegisterDependencies;
  readonly #flips: Map<number, Flip>;
  #newestId: number;

  /** @throws StoreError; FlipError `flip-malformed` */
  constructor(dependencies: FlipRegisterDependencies) {
    this.#dependencies = dependencies;
    const stored = dependencies.stored.all();
    this.#flips = new Map(stored.map(({ id, document }) => [id, parseFlip(document)]));
    this.#newestId = Math.max(0, ...this.#flips.keys());
  }

  /** In the order in which they began. */
  all(): readonly Flip[] {
    return [...this.#flips.values()];
  }

  get(id: number): Flip | undefined {
    return this.#flips.get(id);
  }

  get isFull(): boolean {
    return this.all().filter((each) => !hasEnded(each)).length >= flipsMax;
  }

  /** One that was given and not recorded is not given again. */
  nextId(): number {
    this.#newestId += 1;
    return this.#newestId;
  }

  /**
   * In force when it resolves.
   * @param joining whom the last stage opens
   * @throws LogError; whatever SQLite throws: then it is as it was, and the log may have the order
   */
  async change(flip: Flip, joining: readonly string[] = []): Promise<void> {
    const { record, stored } = this.#dependencies;
    await record(flipEvent(flip, this.#flips.get(flip.id), joining));
    const forgotten = this.#forgottenFor(flip);
    stored.put({ id: flip.id, document: encodeFlip(flip) }, forgotten);
    for (const id of forgotten) this.#flips.delete(id);
    this.#flips.set(flip.id, flip);
  }

  #forgottenFor(flip: Flip): readonly number[] {
    if (this.#flips.has(flip.id)) return [];
    const key = targetKey(flip.target);
    const ended = this.all().filter(hasEnded);
    const replaced = ended.filter(({ target }) => targetKey(target) === key);
    const others = ended.filter((each) => !replaced.includes(each));
    const over = this.#flips.size + 1 - replaced.length - flipsMax;
    return [...replaced, ...others.slice(0, Math.max(0, over))].map(({ id }) => id);
  }
}
