/** The server under test: `portcullis server` as a user would start it, on a directory of its own. */

import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { waitForEndpoints } from "../src/edge/config/endpoints.ts";
import type { TokenOptions } from "./tokens.ts";

export const launcher: string = join(import.meta.dirname, "../bin/portcullis");

/** Those that the launcher gives a server. */
const longLivedFlags = ["--max-semi-space-size=8", "--heap-growing-percent=30"];
const longLivedEnv = { MALLOC_ARENA_MAX: "2" };
const scriptOf = (name: string): string => join(import.meta.dirname, `${name}.ts`);

export interface BenchServerOptions {
  readonly dataDir: string;
  /** Whose tokens it believes; without them those that `flags` say, such as a cluster's. */
  readonly tokens?: TokenOptions;
  readonly jwksFile?: string;
  readonly signal: AbortSignal;
  /** @default any that is free */
  readonly port?: number;
  readonly flags?: readonly string[];
  /** @default `portcullis server` itself; otherwise the script `NAME-server.ts` */
  readonly variant?: "unlogged" | "timed";
  /** Over the bench's own; not of a variant. */
  readonly env?: Readonly<Record<string, string>>;
}

export class BenchServer implements AsyncDisposable {
  readonly pid: number;
  readonly address: string;
  /** Of the admin service; "" for the floor. */
  readonly admin: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string, admin: string) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.address = address;
    this.admin = admin;
  }

  /** Its log goes to a file, since writing it is a part of what a certificate costs. */
  static async start(options: BenchServerOptions): Promise<BenchServer> {
    const { dataDir, tokens, jwksFile, signal, port = 0, flags = [] } = options;
    const log = openSync(join(dataDir, "..", "server.log"), "a", 0o600);
    const listen = ["--listen", `127.0.0.1:${port}`, "--metrics-listen", "127.0.0.1:0"];
    const issuer =
      tokens === undefined || jwksFile === undefined
        ? []
        : ["--token-issuer", tokens.issuer, "--jwks", jwksFile];
    const common = ["server", "--data-dir", dataDir, "--identity-rate", "none", ...listen];
    const args = [...common, ...issuer, ...flags];
    const stdio: StdioOptions = ["ignore", log, log];
    const child =
      options.variant === undefined
        ? spawn(launcher, args, { stdio, env: { ...process.env, ...options.env } })
        : spawnScript(`${options.variant}-server`, args, stdio);
    closeSync(log);
    const ended = once(child, "exit").then(() => {
      throw new Error(`the server has ended: ${join(dataDir, "../server.log")} says why`);
    });
    ended.catch(() => {});
    const endpoints = waitForEndpoints(dataDir, { timeoutMs: 20_000, signal });
    const { ca, admin } = await Promise.race([endpoints, ended]);
    return new BenchServer(child, ca, admin);
  }

  /** `floor-server.ts` on a directory whose server does not run. */
  static async startFloor(dataDir: string, port: number = 0): Promise<BenchServer> {
    const args = [dataDir, String(port)];
    const child = spawnScript("floor-server", args, ["ignore", "pipe", "inherit"]);
    if (child.stdout === null) throw new TypeError("expected a pipe");
    const [address] = (await once(child.stdout, "data")) as [Buffer];
    return new BenchServer(child, address.toString().trim(), "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}

/** As the launcher would start it. */
function spawnScript(name: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  const env = { ...process.env, ...longLivedEnv };
  return spawn(process.execPath, [...longLivedFlags, scriptOf(name), ...args], { stdio, env });
}
