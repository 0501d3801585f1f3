/** `kill -9` of the server: armed to strike before or after one of its next durable writes, and thrown through whatever runs then. */

export const durableWrites = [
  "intent",
  "result",
  "command",
  "trust-change",
  "trust-said",
  "cut",
  "waivers",
  "goodbye",
] as const;

export type DurableWrite = (typeof durableWrites)[number];

export type CrashSide = "before" | "after";

export class Crash extends Error {
  override name = "Crash";
}

/** One object for all: it carries nothing, and its stack is nobody's. */
export const crash: Crash = new Crash("the server's process was killed");

export class CrashPlan<Write = DurableWrite> {
  #write: Write | undefined;
  #side: CrashSide = "before";

  arm(write: Write, side: CrashSide): void {
    this.#write = write;
    this.#side = side;
  }

  get text(): string {
    return `${this.#side} ${String(this.#write)}`;
  }

  disarm(): void {
    this.#write = undefined;
  }

  strikes(write: Write, side: CrashSide): boolean {
    return this.#write === write && this.#side === side;
  }
}
