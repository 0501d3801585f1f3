/** `portcullis server` as a process with an issuer of tokens, which may be killed, also by itself. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../src/app/demo/ports.ts";
import { commandWords, Program } from "../../src/app/demo/program.ts";
import { waitForEndpoints } from "../../src/edge/config/endpoints.ts";
import { TOKEN_KEY } from "./control-plane.ts";
import { jwksDocument, TEST_ISSUER } from "./tokens.ts";

/** Loaded into every thread of a server, which may then die by itself. */
export interface Mortality {
  readonly preload: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface ServerProcessOptions {
  /** Is made. */
  readonly dataDir: string;
  /** Over those of a server on free ports of the loopback interface. */
  readonly flags: Readonly<Record<string, string>>;
  /** Its tokens are a cluster's, and there is no issuer of the test. */
  readonly isInCluster?: boolean;
  /** Over this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export class ServerProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly address: string;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #lines: string[] = [];
  #program: Program | undefined;
  #died = Promise.withResolvers<string>();

  private constructor(
    { dataDir, env = {} }: ServerProcessOptions,
    address: string,
    args: readonly string[],
  ) {
    this.dataDir = dataDir;
    this.address = address;
    this.#args = args;
    this.#env = env;
  }

  /** Is not started yet. */
  static async create(options: ServerProcessOptions): Promise<ServerProcess> {
    const { dataDir, flags, isInCluster = false } = options;
    mkdirSync(dataDir, { mode: 0o700 });
    const jwks = join(dataDir, "jwks.json");
    writeFileSync(jwks, jwksDocument(TOKEN_KEY));
    const [port = 0, metricsPort = 0] = await freePorts(2, Math.random);
    const address = `127.0.0.1:${port}`;
    const args = commandWords("server", {
      "data-dir": dataDir,
      listen: address,
      "metrics-listen": `127.0.0.1:${metricsPort}`,
      ...(isInCluster ? {} : { "token-issuer": TEST_ISSUER, jwks }),
      ...flags,
    });
    return new ServerProcess(options, address, args);
  }

  /** Again on the same directory and ports after its end. Resolves when it is ready. */
  async start(mortality?: Mortality): Promise<void> {
    this.#died = Promise.withResolvers();
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    this.#program = await Program.start({
      name: "server",
      args: this.#args,
      env: {
        ...this.#env,
        ...(mortality && { ...mortality.env, NODE_OPTIONS: `--import ${mortality.preload}` }),
      },
      onLine: (line) => void this.#lines.push(line),
      onLost: (error) => {
        this.#died.resolve(error.message);
        if (mortality === undefined) process.emitWarning(error);
        lost.reject(error);
      },
    });
    const signal = AbortSignal.timeout(readyTimeoutMs);
    const ready = waitForEndpoints(this.dataDir, { timeoutMs: readyTimeoutMs, signal });
    try {
      await Promise.race([ready, lost.promise]);
    } catch (cause) {
      const last = this.#lines.slice(-linesShown).join("\n");
      throw new Error(`expected the server to start; it has said:\n${last}`, { cause });
    }
  }

  /** Resolves when it has died by itself. @returns how */
  async died(): Promise<string> {
    return await this.#died.promise;
  }

  /** It does nothing any more, and whoever talks to it waits. */
  freeze(): void {
    this.#program?.freeze();
  }

  thaw(): void {
    this.#program?.thaw();
  }

  get rootFile(): string {
    return join(this.dataDir, "root-cert.pem");
  }

  get rootPem(): string {
    return readFileSync(this.rootFile, "utf8");
  }

  /** A gRPC target. */
  get admin(): string {
    return `unix://${join(this.dataDir, "admin.sock")}`;
  }

  get log(): readonly string[] {
    return this.#lines;
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }
}

const linesShown = 12;
const readyTimeoutMs = 15_000;
