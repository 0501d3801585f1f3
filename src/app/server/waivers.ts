/**
 * Waivers of a running server: whose evidence a gate goes on without, until when, and on whose word. Each name stands in the
 * log before it counts; all of them end with the rotation.
 */

import { PortcullisError } from "../../core/error.ts";
import type { StoredWaivers, Waiver } from "../../edge/store/waivers.ts";
import type { LogKeeper } from "./log-keeper.ts";
import type { Claim } from "./operator-command.ts";

export class WaiverRefusedError extends PortcullisError<
  "waiver-names" | "waiver-until" | "waiver-selector"
> {
  override name = "WaiverRefusedError";
}

export interface WaiversDependencies {
  readonly stored: StoredWaivers;
  readonly record: LogKeeper["event"];
  readonly nowMs: () => number;
}

const namesMax = 10_000;
export const nameLengthMax = 2_400;
const longestMs = 30 * 86_400_000;
/** Octets of one event's names in the log. */
const detailMax = 4_000;
const namePattern = /^(?:agent|proxy|workload-api|leaf|class)\/[^\p{C}\p{Z}]+$/u;

export class Waivers {
  readonly #dependencies: WaiversDependencies;
  #byName: ReadonlyMap<string, Waiver>;

  /** @throws whatever SQLite throws */
  constructor(dependencies: WaiversDependencies) {
    this.#dependencies = dependencies;
    this.#byName = byName(dependencies.stored.all());
  }

  /** Those that count now, in the order of their names. */
  get current(): readonly Waiver[] {
    const nowMs = this.#dependencies.nowMs();
    return [...this.#byName.values()].filter(({ untilMs }) => nowMs < untilMs);
  }

  isWaived(name: string): boolean {
    const waiver = this.#byName.get(name);
    return waiver !== undefined && this.#dependencies.nowMs() < waiver.untilMs;
  }

  /** @throws WaiverRefusedError, WaiverError, LogError; whatever SQLite throws */
  async add(names: readonly string[], { operator, reason }: Claim, untilMs: number): Promise<void> {
    const { stored, record, nowMs } = this.#dependencies;
    const createdAtMs = Math.floor(nowMs());
    assertNames(names);
    if (!(untilMs > createdAtMs && untilMs <= createdAtMs + longestMs)) {
      const message = "expected an end within 30 days from now";
      throw new WaiverRefusedError("waiver-until", message, { hint: "give --for, at most 30d" });
    }
    const subject = `until ${new Date(untilMs).toISOString()}`;
    const batches = inBatches(names);
    await Promise.all(
      batches.map((detail) => record({ type: "waiver", operator, reason, subject, detail })),
    );
    stored.add(names.map((name) => ({ name, reason, operator, createdAtMs, untilMs })));
    this.#byName = byName(stored.all());
  }

  /** Forgets those that have ended. @throws whatever SQLite throws */
  prune(): void {
    const nowMs = this.#dependencies.nowMs();
    const hasEnded = [...this.#byName.values()].some(({ untilMs }) => untilMs <= nowMs);
    if (hasEnded) this.#end(nowMs);
  }

  /** The rotation is over. @throws whatever SQLite throws */
  end(): void {
    if (this.#byName.size > 0) this.#end(Infinity);
  }

  #end(byMs: number): void {
    const { stored } = this.#dependencies;
    stored.end(byMs);
    this.#byName = byName(stored.all());
  }
}

function byName(waivers: readonly Waiver[]): ReadonlyMap<string, Waiver> {
  return new Map(waivers.map((waiver) => [waiver.name, waiver]));
}

function assertNames(names: readonly string[]): void {
  if (names.length === 0 || names.length > namesMax) {
    const message = `expected 1 to ${namesMax} names, got ${names.length}`;
    throw new WaiverRefusedError("waiver-names", message);
  }
  const wrong = names.find((name) => name.length > nameLengthMax || !namePattern.test(name));
  if (wrong === undefined) return;
  const message = `expected the name of a laggard, got ${JSON.stringify(wrong.slice(0, 100))}`;
  throw new WaiverRefusedError("waiver-names", message, { hint: "portcullis root status --all" });
}

/** A name a line. */
function inBatches(names: readonly string[]): readonly string[] {
  const batches: string[] = [];
  let batch = "";
  for (const name of names) {
    const longer = batch === "" ? name : `${batch}\n${name}`;
    if (batch !== "" && Buffer.byteLength(longer) > detailMax) {
      batches.push(batch);
      batch = name;
    } else batch = longer;
  }
  return [...batches, batch];
}
