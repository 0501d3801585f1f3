/** How often each fault struck in each step of a rotation, and each durable write was the last one of a server's process. */

import { durableWrites, type CrashSide, type DurableWrite } from "../server/crash.ts";

/** Of the trust state, or of the command that is being carried out. */
const steps = [
  "stable",
  "prepared",
  "retiring",
  "rolled-back",
  "confirming",
  "ordered",
  "between",
] as const;

export type Step = (typeof steps)[number];

const faults = [
  "server-killed",
  "server-restored",
  "agent-cut",
  "stream-broken",
  "call-lost",
  "call-held",
  "delayed",
  "agent-killed",
  "agent-frozen",
  "agent-reborn",
  "agent-goodbye",
  "stale-server",
  "disk-full",
  "clock-moved",
  "envoy-killed",
  "envoy-frozen",
  "envoy-stalled",
  "secret-refused",
  "sds-reopened",
  "stock-killed",
  "stock-cut",
] as const;

export type Fault = (typeof faults)[number];

const sides: readonly CrashSide[] = ["before", "after"];

export class Coverage {
  readonly #struck = new Float64Array(steps.length * faults.length);
  readonly #kills = new Float64Array(durableWrites.length * sides.length);
  /** What was asked of the machine, by what came of it. */
  readonly #asked = new Map<string, number>();
  readonly #excepted = new Map<string, number>();

  struck(step: Step, fault: Fault): void {
    const cell = steps.indexOf(step) * faults.length + faults.indexOf(fault);
    this.#struck[cell] = (this.#struck[cell] ?? 0) + 1;
  }

  killed(write: DurableWrite, side: CrashSide): void {
    const cell = durableWrites.indexOf(write) * sides.length + sides.indexOf(side);
    this.#kills[cell] = (this.#kills[cell] ?? 0) + 1;
  }

  asked(command: string, outcome: string): void {
    const key = `${command} ${outcome}`;
    this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1);
  }

  count(command: string, outcome: string): number {
    return this.#asked.get(`${command} ${outcome}`) ?? 0;
  }

  /** A schedule in which somebody is not held to the promise. */
  excepted(why: string): void {
    this.#excepted.set(why, (this.#excepted.get(why) ?? 0) + 1);
  }

  /** Of all that can be. */
  least(): { readonly name: string; readonly count: number } {
    const cells = [
      ...steps.flatMap((step, row) => {
        return faults.flatMap((fault, column) => {
          const count = this.#struck[row * faults.length + column] ?? 0;
          return isPossible(step, fault) ? { name: `${fault} in ${step}`, count } : [];
        });
      }),
      ...durableWrites.flatMap((write, row) => {
        return sides.map((side, column) => {
          return { name: `killed ${side} ${write}`, count: this.#kills[row * 2 + column] ?? 0 };
        });
      }),
    ];
    return cells.reduce((least, cell) => (cell.count < least.count ? cell : least));
  }

  table(): string {
    const rows = steps.map((step, row) => [
      step,
      ...faults.map((_, column) => String(this.#struck[row * faults.length + column])),
    ]);
    const kills = durableWrites.map((write, row) => {
      const counts = sides.map((side, column) => `${side} ${this.#kills[row * 2 + column]}`);
      return `  ${write.padEnd(14)} ${counts.join("  ")}`;
    });
    return [
      "faults by step of the rotation",
      ...transposed([["", ...faults], ...rows]),
      "kills at durable writes",
      ...kills,
      "commands",
      ...counted(this.#asked),
      "not held to the promise (schedules)",
      ...counted(this.#excepted),
    ].join("\n");
  }
}

/** A backup comes back only where it has roots that a rotation has brought, and none that one has taken away. */
function isPossible(step: Step, fault: Fault): boolean {
  return fault !== "server-restored" || !["stable", "confirming", "between"].includes(step);
}

function counted(counts: ReadonlyMap<string, number>): string[] {
  const sorted = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([key, count]) => `  ${key.padEnd(34)} ${count}`);
}

function transposed(rows: readonly (readonly string[])[]): string[] {
  const [first = []] = rows;
  return first.map((_, column) => {
    return `  ${rows.map((row) => (row[column] ?? "").padEnd(column === 0 ? 15 : 15)).join(" ")}`;
  });
}
