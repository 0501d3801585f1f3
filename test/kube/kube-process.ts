/** etcd or kube-apiserver as a child process: ended, frozen, measured; its log in a file. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Guard } from "./guard.ts";
import { KubeTestError } from "./kube-error.ts";

/** Without their dashes; of several values each is a flag of its own. */
export type KubeFlags = Readonly<Record<string, string | readonly string[]>>;

export interface KubeProcessOptions {
  readonly binary: string;
  readonly flags: KubeFlags;
  /** Appended to. */
  readonly logPath: string;
  readonly guard: Guard;
}

/** With an open watch, kube-apiserver does not end by SIGTERM. */
const stopGraceMs = 3_000;
const pollMs = 50;

export class KubeProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #options: KubeProcessOptions;

  static async start(options: KubeProcessOptions): Promise<KubeProcess> {
    const log = openSync(options.logPath, "a", 0o600);
    const words = Object.entries(options.flags).flatMap(([name, values]) =>
      [values].flat().map((value) => `--${name}=${value}`),
    );
    const child = spawn(options.binary, words, { stdio: ["ignore", log, log], env: {} });
    closeSync(log);
    await once(child, "spawn");
    return new KubeProcess(child, options);
  }

  private constructor(child: ChildProcess, options: KubeProcessOptions) {
    const { pid = 0 } = child;
    this.pid = pid;
    this.#child = child;
    this.#options = options;
    options.guard.add(pid);
    this.#exited = once(child, "exit").then(() => options.guard.remove(pid));
    // A test that forgets its cluster ends all the same, and the guard with it.
    child.unref();
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws KubeTestError if it ends first, or after the time given */
  async waitUntil(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    for (const deadlineMs = performance.now() + timeoutMs; performance.now() < deadlineMs;) {
      if (!this.isRunning) throw this.#error("kube-exited", "to run, it ended");
      if (await isReady()) return;
      await sleep(pollMs);
    }
    throw this.#error("kube-not-ready", `to be ready in ${timeoutMs} ms, it was not`);
  }

  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    const force = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMs);
    await this.#end("SIGTERM");
    clearTimeout(force);
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** What it has used of CPU since it was started, user and system, to 10 ms. Linux only. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // proc(5): the name in parentheses may have spaces; after it stands field 3, and 14 and 15 are in ticks of 1/100 s.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.#child.ref();
    this.#child.kill(signal);
    this.thaw();
    await this.#exited;
  }

  #error(code: "kube-exited" | "kube-not-ready", what: string): KubeTestError {
    const { binary, logPath } = this.#options;
    const last = readFileSync(logPath, "utf8").trim().split("\n").slice(-5).join("\n");
    return new KubeTestError(code, `expected ${binary} ${what}; it has said:\n${last}`);
  }
}
