/** Many agents of a server, as far as it sees them: the program in load/agents. */

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { bearerAt } from "./corpus.ts";
import type { Fixture } from "./fixture.ts";
import { LoadError } from "./programs.ts";
import { mintToken } from "./tokens.ts";

/** What all agents have done; see the program. */
export type Deed =
  | "certified"
  | "connected"
  | "greeted"
  | "reported"
  | "told"
  | "acked"
  | "taken"
  | "renewed";

/** Unix milliseconds, by nearest rank. */
export interface Done {
  readonly p50AtMs: number;
  readonly p99AtMs: number;
  readonly lastAtMs: number;
}

export interface AgentsOptions {
  readonly program: string;
  /** `host:port`. */
  readonly address: string;
  readonly rootFile: string;
  /** A token a line: each makes an agent. */
  readonly tokensFile: string;
  /** Their proxies acknowledge policies. */
  readonly takesPolicy?: boolean;
}

export class Agents implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #done = new Map<string, Done>();
  readonly #exited: Promise<unknown>;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor({ program, address, rootFile, tokensFile, takesPolicy = false }: AgentsOptions) {
    const files = ["-root", rootFile, "-tokens", tokensFile];
    const args = ["-addr", address, ...files, `-policy=${takesPolicy}`];
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.pid = this.#child.pid ?? 0;
    this.#exited = once(this.#child, "exit");
    createInterface(this.#child.stdout).on("line", (line) => {
      const { what, number, ...done } = JSON.parse(line) as Done & {
        readonly what: Deed;
        readonly number: number;
      };
      this.#done.set(`${what} ${number}`, done);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  command(
    line: "certify" | "connect" | "greet" | `report ${number}` | `tell ${number} ${number}`,
  ): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /**
   * Waits until all have done it.
   * @param number a bundle's sequence, or of commands and renewals which one it is, from 1
   * @throws LoadError `load-run-failed` if one has failed, or this takes too long
   */
  async done(what: Deed, number: number, timeoutMs: number): Promise<Done> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const late = once(timeout, "abort");
    for (;;) {
      const done = this.#done.get(`${what} ${number}`);
      if (done !== undefined) return done;
      if (this.#child.exitCode !== null || timeout.aborted) {
        throw new LoadError("load-run-failed", `the agents have not all ${what} (${number})`);
      }
      await Promise.race([this.#wake.promise, this.#exited, late]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
  }
}

/** Each of another identity. @param first number of the first one */
export async function writeTokens(
  { tokens, seed, directory }: Pick<Fixture, "tokens" | "seed" | "directory">,
  count: number,
  first = 0,
): Promise<string> {
  const file = join(directory, `tokens-${first}-${count}`);
  const lines = Array.from({ length: count }, (_, index) =>
    mintToken(tokens, bearerAt(first + index), index, seed),
  );
  await writeFile(file, `${(await Promise.all(lines)).join("\n")}\n`, { mode: 0o600 });
  return file;
}
