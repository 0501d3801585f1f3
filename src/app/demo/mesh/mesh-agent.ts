/** An agent of a mesh, a sidecar's or a node's, as a process that may be frozen, killed and started again. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoError } from "../demo-error.ts";
import { commandWords, Program } from "../program.ts";

export interface MeshAgentOptions {
  readonly name: string;
  /** Is made. */
  readonly directory: string;
  readonly server: string;
  readonly serverRootFile: string;
  readonly token: string;
  /** A node's, as the server lists it. */
  readonly nodeIdentity?: string;
  readonly onLine?: (line: string) => void;
  readonly onLost: (error: DemoError) => void;
}

export class MeshAgent implements AsyncDisposable {
  readonly name: string;
  readonly #options: MeshAgentOptions;
  #program: Program;

  private constructor(options: MeshAgentOptions, program: Program) {
    this.name = options.name;
    this.#options = options;
    this.#program = program;
  }

  static async start(options: MeshAgentOptions): Promise<MeshAgent> {
    await mkdir(options.directory, { mode: 0o700 });
    await writeFile(join(options.directory, "token"), options.token, { mode: 0o600 });
    return new MeshAgent(options, await startProgram(options));
  }

  get sdsSocketPath(): string {
    return sdsSocket(this.#options);
  }

  get pid(): number {
    return this.#program.pid;
  }

  freeze(): void {
    this.#program.freeze();
  }

  thaw(): void {
    this.#program.thaw();
  }

  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** On what the last one has left. */
  async restart(): Promise<void> {
    this.#program = await startProgram(this.#options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

async function startProgram(options: MeshAgentOptions): Promise<Program> {
  const { name, directory, server, serverRootFile, nodeIdentity, onLine, onLost } = options;
  const args = commandWords("agent", {
    server,
    "server-root": serverRootFile,
    "token-file": join(directory, "token"),
    "state-dir": join(directory, "state"),
    "sds-socket": sdsSocket(options),
    ...(nodeIdentity !== undefined && { "node-identity": nodeIdentity }),
  });
  const node = nodeIdentity === undefined ? [] : ["--node"];
  return Program.start({
    name: `agent ${name}`,
    args: [...args, ...node],
    ...(onLine && { onLine }),
    onLost,
  });
}

function sdsSocket({ directory }: MeshAgentOptions): string {
  return join(directory, "sds.sock");
}
