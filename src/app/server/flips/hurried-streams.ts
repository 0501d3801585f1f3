/**
 * Agents whose evidence a flip waits for are asked to tell each second, and as often as all others when it has come: else a stage would
 * take as long as they keep what they have seen.
 */

/** @param everyMs undefined: as all others */
type Hurry<Stream> = (stream: Stream, everyMs?: number) => void;

const soonMs = 1_000;

export class HurriedStreams<Stream> {
  readonly #hurry: Hurry<Stream>;
  /** By the flip that waits. */
  readonly #wanted = new Map<number, ReadonlySet<Stream>>();

  constructor(hurry: Hurry<Stream>) {
    this.#hurry = hurry;
  }

  /** In the place of those that it has waited for. A node agent's may be waited for by several. */
  waitsFor(flip: number, streams: ReadonlySet<Stream>): void {
    const before = this.#wanted.get(flip) ?? new Set();
    const others = [...this.#wanted].filter(([other]) => other !== flip);
    const isWanted = (stream: Stream): boolean => others.some(([, all]) => all.has(stream));
    if (streams.size === 0) this.#wanted.delete(flip);
    else this.#wanted.set(flip, streams);
    for (const stream of streams) {
      if (!before.has(stream) && !isWanted(stream)) this.#hurry(stream, soonMs);
    }
    for (const stream of before) {
      if (!streams.has(stream) && !isWanted(stream)) this.#hurry(stream);
    }
  }
}
