/** Many Envoys at the socket of a node agent, as far as it sees them: the program in load/sds. */

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { LoadError } from "./programs.ts";

export class Envoys implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  /** When all had acknowledged them, by the SHA-256 of roots; "" is for certificates. */
  readonly #heldAtMs = new Map<string, number>();
  readonly #exited: Promise<unknown>;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();

  /** @param tokensFile a token a line: each makes an Envoy */
  constructor(program: string, socket: string, tokensFile: string) {
    const args = ["-socket", socket, "-tokens", tokensFile];
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#exited = once(this.#child, "exit");
    createInterface(this.#child.stdout).on("line", (line) => {
      const { roots, atMs } = JSON.parse(line) as { readonly roots: string; readonly atMs: number };
      this.#heldAtMs.set(roots, atMs);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  /**
   * When the last Envoy acknowledged it, in Unix milliseconds; waits until it has.
   * @param roots SHA-256 of the PEM, in hex; "" is for certificates
   * @throws LoadError `load-run-failed` if a stream has failed, or this takes too long
   */
  async heldAtMs(roots: string, timeoutMs: number): Promise<number> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const late = once(timeout, "abort");
    for (;;) {
      const atMs = this.#heldAtMs.get(roots);
      if (atMs !== undefined) return atMs;
      await Promise.race([this.#wake.promise, this.#exited, late]);
      const has = this.#child.exitCode !== null || timeout.aborted;
      if (has && !this.#heldAtMs.has(roots)) {
        const what = roots === "" ? "certificates" : "new roots";
        throw new LoadError("load-run-failed", `the Envoys have not all got their ${what}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
  }
}
