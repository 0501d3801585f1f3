/** The operator of flips of a server under test: each is begun as soon as it can be, and taken back. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { addCallerWaivers, getFlips, revertFlip, startFlip } from "../src/edge/rpc/flip-client.ts";
import { flipTarget as target } from "./flip-manifests.ts";
import type { NodeRig } from "./node-rig.ts";

const operator = "bench";
/** A verdict asks for the first half of it, and agents tell every ten seconds. */
const lookBack = 30;
const order = {
  target,
  operator,
  lookBack,
  stages: "all",
  revertWindow: 3_600,
  revertOnRefused: 0,
  awaitsObject: false,
} as const;
const [pollMs, waitMs] = [20, 1_000];
const timeoutMs = 120_000;
const waivedMs = 3_600_000;

export class FlipOrders {
  readonly #admin: string;
  readonly #directory: string;
  readonly #signal: AbortSignal;

  constructor({ server, directory }: NodeRig, signal: AbortSignal) {
    this.#admin = server.admin;
    this.#directory = directory;
    this.#signal = signal;
  }

  /** They may call themselves without mTLS: the outsider is on their host. @param names of workloads */
  async waive(names: readonly string[]): Promise<void> {
    const untilMs = Date.now() + waivedMs;
    await addCallerWaivers(this.#admin, { target, operator, names, reason: "bench", untilMs });
  }

  /** Until it would be begun. */
  async untilSafe(): Promise<void> {
    for (const endMs = Date.now() + timeoutMs; ; await this.#sleep(waitMs)) {
      const { result } = await startFlip(this.#admin, { ...order, dryRun: true });
      if (result.case === "flip") return;
      const { code = "", message = "" } = result.value ?? {};
      if (code !== "not-safe" || Date.now() > endMs) throw new Error(`${code}: ${message}`);
    }
  }

  /** @returns when the stage was durable, in Unix milliseconds */
  async begin(): Promise<number> {
    const before = (await this.#opened()).length;
    const { result } = await startFlip(this.#admin, { ...order, dryRun: false });
    if (result.case !== "flip") throw new Error(`no flip: ${result.value?.message ?? ""}`);
    for (;;) {
      const opened = await this.#opened();
      if (opened.length > before) return Number(opened.at(-1));
      await this.#sleep(pollMs);
    }
  }

  /** Resolves when that is over. */
  async takeBack(): Promise<void> {
    await revertFlip(this.#admin, { target, operator, reason: "bench", dryRun: false });
    for (;;) {
      const [flip] = await getFlips(this.#admin, target);
      if (flip?.state === "reverted") return;
      await this.#sleep(pollMs);
    }
  }

  async #opened(): Promise<readonly string[]> {
    const text = await readFile(join(this.#directory, "opened"), "utf8").catch(() => "");
    return text.split("\n").slice(0, -1);
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal });
  }
}
