/** A verb in this process that goes on until it is stopped. */

import { setTimeout as sleep } from "node:timers/promises";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";

export class WatchingVerb {
  readonly said: { stdout: string; stderr: string } = { stdout: "", stderr: "" };
  readonly #stopping = new AbortController();
  readonly #ended: Promise<number>;
  #isOver = false;

  constructor(words: readonly string[]) {
    const { said } = this;
    this.#ended = runCli(words, {
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
      env: {},
      signal: this.#stopping.signal,
      nowMs: Date.now,
      isTty: false,
      columns: 80,
      registry: REGISTRY,
    }).finally(() => (this.#isOver = true));
  }

  /** @throws Error where it has ended before */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#isOver) throw new Error(`it has ended: ${this.said.stderr}`);
      await sleep(50);
    }
  }

  /** @returns its exit code */
  async stop(): Promise<number> {
    this.#stopping.abort();
    return await this.#ended;
  }
}
