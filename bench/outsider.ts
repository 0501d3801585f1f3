/** Somebody without a certificate who connects in plaintext, and the application behind: the program in load/outsider. */

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { LoadError } from "./programs.ts";

interface Line {
  readonly app?: string;
  readonly atMs?: readonly number[];
}

export class Outsider implements AsyncDisposable {
  /** `HOST:PORT` of the application. */
  readonly app: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    app: string,
    child: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>,
  ) {
    this.app = app;
    this.#child = child;
    this.#lines = lines;
  }

  /** @param ports `HOST:PORT`. @param intervalMs from one connection to the next, at each of them */
  static async start(
    program: string,
    ports: readonly string[],
    intervalMs: number,
  ): Promise<Outsider> {
    const args = ["-ports", ports.join(","), "-interval", `${intervalMs}ms`];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]();
    const { app = "" } = await next(lines);
    return new Outsider(app, child, lines);
  }

  /**
   * Connects anew to each port until it was so there.
   * @returns for each, when the connection was begun that met it first, in Unix milliseconds
   * @throws LoadError `load-run-failed`
   */
  async meets(what: "refused" | "served"): Promise<readonly number[]> {
    this.#child.stdin.write(`await ${what}\n`);
    return (await next(this.#lines)).atMs ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin.end();
    await exited;
  }
}

async function next(lines: AsyncIterator<string>): Promise<Line> {
  const { value, done } = await lines.next();
  if (done !== true) return JSON.parse(value) as Line;
  throw new LoadError("load-run-failed", "the outsider has ended: it has said why");
}
