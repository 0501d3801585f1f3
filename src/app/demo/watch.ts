/** Asks the Envoys, again and again, what they hold and what they counted. */

import { setTimeout as sleep } from "node:timers/promises";
import { DemoError } from "./demo-error.ts";
import type { Fact, WorkloadName } from "./fact.ts";
import type { EnvoyReading, Workload } from "./workload.ts";

export interface WatchOptions {
  readonly workloads: readonly Workload[];
  readonly nowMs: () => number;
  readonly onFact: (fact: Fact) => void;
}

const intervalMs = 250;

export class Watch {
  readonly #options: WatchOptions;
  readonly #readings = new Map<WorkloadName, EnvoyReading>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  reading(name: WorkloadName): EnvoyReading | undefined {
    return this.#readings.get(name);
  }

  /** Until the signal. @throws when an Envoy does not answer any more */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#readAll(signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const { workloads } = this.#options;
    await Promise.all(
      workloads.map(async (workload) =>
        this.#take(workload.name, await readEnvoy(workload, signal)),
      ),
    );
  }

  #take(workload: WorkloadName, reading: EnvoyReading): void {
    const before = this.#readings.get(workload);
    this.#readings.set(workload, reading);
    const serial = reading.certificate?.serialHex;
    if (serial === undefined || before?.certificate?.serialHex !== serial) return;
    // Held at both readings, and connections were made in between: those used it, because each
    // connection takes the newest.
    if (reading.tls.handshakes === before.tls.handshakes) return;
    this.#options.onFact({ kind: "used", atMs: this.#options.nowMs(), workload, serial });
  }
}

async function readEnvoy(workload: Workload, signal: AbortSignal): Promise<EnvoyReading> {
  try {
    return await workload.read(signal);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `expected the ${workload.name}'s Envoy to answer, got ${reason}`;
    throw new DemoError("demo-envoy-silent", message, { cause });
  }
}
