/** The operator of a server under test, who changes its configuration, and what the server was told of it by then. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Manifest } from "../src/edge/resources/manifest.ts";
import { changeResources } from "../src/edge/rpc/resource-client.ts";
import { percentile } from "./percentile.ts";
import type { BenchServer } from "./server.ts";

/** Looking takes time of the machine that is measured. */
const pollMs = 400;
const timeoutMs = 60_000;

export class PolicyOrders {
  readonly #server: BenchServer;
  readonly #directory: string;
  readonly #signal: AbortSignal;

  /** @param server a `timed` one. @param directory that its data directory is in */
  constructor(server: BenchServer, directory: string, signal: AbortSignal) {
    this.#server = server;
    this.#directory = directory;
    this.#signal = signal;
  }

  /** @returns when it was durable, in Unix milliseconds. @throws AdminClientError, ResourcesRefusedError */
  async apply(manifests: readonly Manifest[]): Promise<number> {
    const apply = manifests.map((manifest) => ({ manifest, origin: "bench" }));
    const order = { apply, remove: [], isDryRun: false, operator: "bench" };
    await changeResources(this.#server.admin, order);
    return Number((await this.#lines("configured")).at(-1));
  }

  /**
   * Waits until all proxies have acknowledged it.
   * @returns for each, after how many milliseconds the server knew that its port has the mode; ascending
   */
  async acknowledged(
    mode: "strict" | "permissive",
    sinceMs: number,
    proxies: number,
  ): Promise<readonly number[]> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      await sleep(pollMs, undefined, { signal: this.#signal });
      const first = new Map<string, number>();
      for (const line of await this.#lines("acknowledged")) {
        const [atMs, has, ...key] = line.split(" ");
        const name = key.join(" ");
        if (has === mode && Number(atMs) >= sinceMs && !first.has(name)) {
          first.set(name, Number(atMs) - sinceMs);
        }
      }
      if (first.size >= proxies) return [...first.values()].toSorted((a, b) => a - b);
      if (Date.now() > endMs) throw new Error(`${first.size} of ${proxies} proxies are ${mode}`);
    }
  }

  async #lines(name: string): Promise<readonly string[]> {
    const text = await readFile(join(this.#directory, name), "utf8").catch(() => "");
    return text.split("\n").slice(0, -1);
  }
}

/** Of several rounds. */
export class Percentiles {
  readonly p50: number[] = [];
  readonly p99: number[] = [];

  add(values: readonly number[]): void {
    const sorted = values.toSorted((a, b) => a - b);
    this.p50.push(percentile(sorted, 0.5));
    this.p99.push(percentile(sorted, 0.99));
  }
}
