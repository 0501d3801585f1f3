/**
 * Nothing outlives a test's process, however that ends, SIGKILL included: a shell beside it holds a pipe from it, and once that is closed
 * it kills the processes that it was told of and removes the directory. Needs nothing that only Linux has.
 */

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";

/** Each line is all of the processes; the last one counts. A negative number is a process group. */
const script = `
  while read -r line; do pids=$line; done
  [ -z "$pids" ] || kill -s KILL -- $pids 2>/dev/null
  exec rm -rf -- "$0"
`;

export class Guard implements AsyncDisposable {
  readonly #shell: ChildProcessByStdio<Writable, null, null>;
  readonly #exited: Promise<unknown>;
  readonly #pids = new Set<number>();

  /** @param directory is removed at the end */
  constructor(directory: string) {
    // A session of its own: what the terminal or the test runner sends to the whole group is not for it.
    this.#shell = spawn("/bin/sh", ["-c", script, directory], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#exited = once(this.#shell, "exit");
    this.#shell.unref();
    // It may be gone before us; then there is nobody to tell.
    this.#shell.stdin.on("error", () => undefined);
  }

  add(pid: number): void {
    this.#pids.add(pid);
    this.#tell();
  }

  /** It has ended: the number may soon be another's. */
  remove(pid: number): void {
    this.#pids.delete(pid);
    this.#tell();
  }

  /** Kills what is left, and resolves when the directory is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.ref();
    this.#shell.stdin.end();
    await this.#exited;
  }

  #tell(): void {
    this.#shell.stdin.write(`${[...this.#pids].join(" ")}\n`);
  }
}
