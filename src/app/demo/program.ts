/**
 * One `portcullis` process of the demo: started from this clone, its diagnostics read as facts, and
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

export interface ProgramOptions extends ProgramHooks {
  readonly name: ProgramName;
  readonly args: readonly string[];
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
    const child = spawn(launcher, options.args, { stdio });
    await once(child, "spawn");
    let complaint = "";
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!line.includes('"level":"info"')) complaint = line.slice(0, complaintLengthMax);
      const fact = parseLogLine(options.name, line);
      if (fact !== undefined) options.onFact(fact);
    });
    return new Program(child, options, () => complaint);
  }

  private constructor(child: ChildProcess, options: ProgramOptions, complaint: () => string) {
    const { name, nowMs, onFact, onLost } = options;
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
      onFact({ kind: "lost", atMs: nowMs(), program: name, pid });
      onLost(name, new DemoError("demo-program-lost", message));
    });
  }

  /** As a crash: nothing is flushed, closed or said. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#child.kill("SIGTERM");
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
  const kill = (): void => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  };
  process.once("exit", kill);
  return { [Symbol.dispose]: () => void process.off("exit", kill) };
}
