/** In a demo that stays, whoever watches may kill the programs: they come back. */

import { setTimeout as sleep } from "node:timers/promises";
import type { ProgramName } from "./fact.ts";
import { agentPauseMs, outageMs } from "./schedule.ts";
import type { Parts } from "./stage.ts";

export class Revival {
  readonly #parts: Parts;
  readonly #signal: AbortSignal;
  readonly #onFailed: (error: unknown) => void;
  readonly #pending = new Set<Promise<void>>();

  constructor(parts: Parts, signal: AbortSignal, onFailed: (error: unknown) => void) {
    this.#parts = parts;
    this.#signal = signal;
    this.#onFailed = onFailed;
  }

  revive(program: ProgramName): void {
    const revived = this.#bringBack(program).catch((error: unknown) => {
      if (!this.#signal.aborted) this.#onFailed(error);
    });
    this.#pending.add(revived);
    void revived.finally(() => this.#pending.delete(revived));
  }

  /** Resolves when nothing is being started any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #bringBack(program: ProgramName): Promise<void> {
    const { controlPlane, client, server } = this.#parts;
    const signal = this.#signal;
    await sleep(program === "control plane" ? outageMs : agentPauseMs, undefined, { signal });
    switch (program) {
      case "control plane":
        return controlPlane.restart(signal);
      case "client agent":
        return client.restartAgent();
      case "server agent":
        return server.restartAgent();
      default:
        return program satisfies never;
    }
  }
}
