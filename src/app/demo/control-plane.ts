/** The demo's control plane: `portcullis dev`, which may be killed and comes back where it was. */

import { join } from "node:path";
import { waitForEndpoints } from "../../edge/config/endpoints.ts";
import { TokenIssuer } from "../dev/token-issuer.ts";
import { commandWords, startTold, type Program, type ProgramHooks } from "./program.ts";
import { leafSeconds } from "./schedule.ts";

export interface ControlPlaneOptions extends ProgramHooks {
  readonly dataDir: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Life of a certificate. @default `leafSeconds` */
  readonly ttlSeconds?: number;
  /** More of `dev`'s, by their names. */
  readonly flags?: Readonly<Record<string, string>>;
}

const name = "control plane";
const readyTimeoutMs = 10_000;
const tokenTtlSeconds = 24 * 3_600;

export class ControlPlane implements AsyncDisposable {
  readonly #options: ControlPlaneOptions;
  readonly #args: readonly string[];
  #program: Program;

  private constructor(options: ControlPlaneOptions, args: readonly string[], program: Program) {
    this.#options = options;
    this.#args = args;
    this.#program = program;
  }

  static async start(options: ControlPlaneOptions, signal: AbortSignal): Promise<ControlPlane> {
    const { dataDir, port, metricsPort, ttlSeconds = leafSeconds } = options;
    const args = commandWords("dev", {
      "data-dir": dataDir,
      listen: `127.0.0.1:${port}`,
      "metrics-listen": `127.0.0.1:${metricsPort}`,
      "default-ttl": `${ttlSeconds}s`,
      ...options.flags,
    });
    const program = await startTold(name, args, options);
    const controlPlane = new ControlPlane(options, args, program);
    try {
      await waitUntilReady(dataDir, signal);
    } catch (error) {
      await controlPlane[Symbol.asyncDispose]();
      throw error;
    }
    return controlPlane;
  }

  get dataDir(): string {
    return this.#options.dataDir;
  }

  get address(): string {
    return `127.0.0.1:${this.#options.port}`;
  }

  get rootFile(): string {
    return join(this.dataDir, "root-cert.pem");
  }

  get pid(): number {
    return this.#program.pid;
  }

  get admin(): string {
    return `unix://${join(this.dataDir, "admin.sock")}`;
  }

  async mintToken(serviceAccount: string, namespace = "demo"): Promise<string> {
    const issuer = await TokenIssuer.open(this.dataDir);
    return issuer.mintToken({
      namespace,
      serviceAccount,
      audiences: ["istio-ca"],
      ttlSeconds: tokenTtlSeconds,
      nowMs: this.#options.nowMs(),
      pod: { name: `${serviceAccount}-0` },
    });
  }

  async kill(): Promise<void> {
    const { nowMs, onFact } = this.#options;
    onFact({ kind: "killed", atMs: nowMs(), program: name, pid: this.pid });
    await this.#program.kill();
  }

  /** On the same directory and ports. */
  async restart(signal: AbortSignal): Promise<void> {
    this.#program = await startTold(name, this.#args, this.#options);
    await waitUntilReady(this.dataDir, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

async function waitUntilReady(dataDir: string, signal: AbortSignal): Promise<void> {
  await waitForEndpoints(dataDir, { timeoutMs: readyTimeoutMs, signal });
}
