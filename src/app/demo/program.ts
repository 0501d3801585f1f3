/**
 * One `portcullis` process of the demo: started from this clone, its diagnostics read line by line, and
 * ended by its own process ID whatever happens to the demo.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { DemoError } from "./demo-error.ts";
import { parseLogLine, type Fact, type ProgramName } from "./fact.ts";

/** Who is told what the programs say, and of their ends. */
export interface ProgramHooks {
  readonly nowMs: () => number;
  readonly onFact: (fact: Fact) => void;
  /** It ended and nobody had asked it to. */
  readonly onLost: (program: ProgramName, error: DemoError) => void;
}

export interface ProgramOptions {
  readonly name: string;
  readonly args: readonly string[];
  /** Over the demo's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes its diagnostics. */
  readonly onLine?: (line: string) => void;
  /** It ended and nobody had asked it to. */
  readonly onLost: (error: DemoError, pid: number) => void;
}

/** Starts one of the programs that the first act tells of. */
export async function startTold(
  name: ProgramName,
  args: readonly string[],
  { nowMs, onFact, onLost }: ProgramHooks,
): Promise<Program> {
  return Program.start({
    name,
    args,
    onLine: (line) => {
      const fact = parseLogLine(name, line);
      if (fact !== undefined) onFact(fact);
    },
    onLost: (error, pid) => {
      onFact({ kind: "lost", atMs: nowMs(), program: name, pid });
      onLost(name, error);
    },
  });
}

const launcher = fileURLToPath(new URL("../../../bin/portcullis", import.meta.url));
const stopGraceMs = 3_000;
const complaintLengthMax = 500;

export class Program implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #isEnding = false;

  static async start(options: ProgramOptions): Promise<Program> {
    const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
    const env = { ...process.env, ...options.env };
    const child = spawn(launcher, options.args, { stdio, env });
    await once(child, "spawn");
    let complaint = "";
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!line.includes('"level":"info"')) complaint = line.slice(0, complaintLengthMax);
      options.onLine?.(line);
    });
    return new Program(child, options, () => complaint);
  }

  private constructor(child: ChildProcess, options: ProgramOptions, complaint: () => string) {
    const { name, onLost } = options;
    const { pid = 0 } = child;
    const lastResort = killAtExit(pid);
    this.pid = pid;
    this.#child = child;
    // "close", not "exit": what it said last has then been read.
    this.#exited = once(child, "close").then(() => {
      lastResort[Symbol.dispose]();
      if (this.#isEnding) return;
      const got = `exit ${child.exitCode ?? child.signalCode}`;
      const last = complaint() === "" ? "" : `; its last complaint: ${complaint()}`;
      const message = `expected the ${name} to run, got ${got}${last}`;
      onLost(new DemoError("demo-program-lost", message), pid);
    });
  }

  /** As a crash: nothing is flushed, closed or said. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** It does nothing any more, and whoever talks to it waits. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#child.kill("SIGTERM");
    this.thaw();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMs);
    await this.#exited;
    clearTimeout(kill);
  }
}

export function commandWords(
  verb: string,
  flags: Readonly<Record<string, string>>,
): readonly string[] {
  return [verb, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
}

/** The last resort for when the demo itself dies: no process outlives it. */
export function killAtExit(pid: number): Disposable {
  if (lastResorts.size === 0) process.once("exit", killAll);
  lastResorts.add(pid);
  return {
    [Symbol.dispose]: () => {
      lastResorts.delete(pid);
      if (lastResorts.size === 0) process.off("exit", killAll);
    },
  };
}

const lastResorts = new Set<number>();

function killAll(): void {
  for (const pid of lastResorts) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}
