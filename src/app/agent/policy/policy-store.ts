/**
 * The last good policy of each proxy on disk, or its first: the agent gives it after a restart, the server there or not. In one file, since many
 * proxies acknowledge at the same time, and each file costs its own flush.
 */

import { join } from "node:path";
import { policyKey } from "../../../core/policy/policy-report.ts";
import type { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { StateFile } from "../state-file.ts";
import { encodeKept, type KeptPolicy } from "./kept-policy.ts";
import { readKept } from "./stored-policies.ts";

export interface PolicyStoreOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  readonly isHere: (key: string) => boolean;
  /** What was kept is on the disk. */
  readonly onKept: (key: string, kept: KeptPolicy) => void;
}

const fileName = "policies.json";
/** As base64, with what stands around it, they fit into what is read. */
const policyBytesMax = 40 * 1_048_576;
const policiesMax = 4_096;
const unseenMsMax = 30 * 86_400_000;
/** How old `seenMs` may be of one that is here. */
const seenMsMax = 86_400_000;

export class PolicyStore {
  readonly #options: PolicyStoreOptions;
  /** By `policyKey`. */
  readonly #all: Map<string, KeptPolicy>;
  /** As JSON. */
  readonly #texts = new WeakMap<KeptPolicy, string>();
  /** What of `#all` is not on the disk yet, and what of it is being written. */
  readonly #due = new Map<string, KeptPolicy>();
  #underway = new Map<string, KeptPolicy>();
  readonly #file: StateFile;

  private constructor(options: PolicyStoreOptions, stored: readonly KeptPolicy[]) {
    this.#options = options;
    this.#all = new Map(stored.map((each) => [policyKey(each), each]));
    this.#file = new StateFile({
      path: join(options.stateDir, fileName),
      encode: () => this.#encode(),
      onWritten: () => this.#wasWritten(),
      onFailure: (error) => options.events.policyNotKept(error),
    });
    this.#forget();
  }

  static async open(options: PolicyStoreOptions): Promise<PolicyStore> {
    return new PolicyStore(
      options,
      await readKept(join(options.stateDir, fileName), options.events),
    );
  }

  get all(): ReadonlyMap<string, KeptPolicy> {
    return this.#all;
  }

  find(key: string): KeptPolicy | undefined {
    return this.#all.get(key);
  }

  /** Once it is on the disk, `onKept` says so. */
  keep(key: string, kept: KeptPolicy): void {
    this.#all.set(key, kept);
    this.#due.set(key, kept);
    this.#file.write();
  }

  drop(key: string): void {
    this.#due.delete(key);
    if (this.#all.delete(key)) this.#file.write();
  }

  /** Asked after each change of who is here: of those the time is kept, roughly. */
  saw(keys: Iterable<string>): void {
    const nowMs = this.#options.nowMs();
    for (const key of keys) {
      const kept = this.#all.get(key);
      if (kept === undefined || nowMs - kept.seenMs < seenMsMax) continue;
      this.keep(key, { ...kept, seenMs: nowMs });
    }
  }

  /** Resolves when all is on disk, or was tried once more. */
  async settled(): Promise<void> {
    await this.#file.settled();
  }

  /** The workload ends, and its proxies with it. @throws what the file system says */
  async destroy(): Promise<void> {
    await this.#file.destroy();
  }

  #encode(): Uint8Array {
    // Those of a write that has failed are still among them.
    this.#underway = new Map([...this.#underway, ...this.#due]);
    this.#due.clear();
    this.#forget();
    const texts = Array.from(this.#all.values(), (kept) => this.#textOf(kept));
    return Buffer.from(`{"version":1,"proxies":[${texts.join(",\n")}]}`);
  }

  #wasWritten(): void {
    const written = this.#underway;
    this.#underway = new Map();
    for (const [key, kept] of written) this.#options.onKept(key, kept);
  }

  #textOf(kept: KeptPolicy): string {
    const text = this.#texts.get(kept) ?? encodeKept(kept);
    this.#texts.set(kept, text);
    return text;
  }

  /** Of those that are away: who was away for long, and what is too much, who was here last staying longest. */
  #forget(): void {
    const { nowMs, isHere } = this.#options;
    const seenSinceMs = nowMs() - unseenMsMax;
    const lastFirst = [...this.#all].toSorted(([, a], [, b]) => b.seenMs - a.seenMs);
    const [here, away] = [true, false].map((is) => lastFirst.filter(([key]) => isHere(key) === is));
    let [count, bytes] = [0, 0];
    for (const [key, { received, seenMs }] of [...(here ?? []), ...(away ?? [])]) {
      count += 1;
      bytes += received.octets.length;
      if (isHere(key)) continue;
      const isTooMuch = count > policiesMax || bytes > policyBytesMax;
      if (isTooMuch || seenMs < seenSinceMs) this.#all.delete(key);
    }
  }
}
