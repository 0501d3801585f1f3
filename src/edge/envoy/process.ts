/**
 * One Envoy as a child process, watched over its admin socket. Its log goes to `envoy.log` in its
 * directory.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyArguments } from "../../core/envoy/bootstrap.ts";
import type { EnvoyObject } from "../../core/envoy/tls-context.ts";
import { PortcullisError } from "../../core/error.ts";
import { adminGet, parseCertificates, parseStats, type EnvoyCertificates } from "./admin.ts";

export type EnvoyProcessErrorCode = "envoy-spawn-failed" | "envoy-exited" | "envoy-not-live";

export class EnvoyProcessError extends PortcullisError<EnvoyProcessErrorCode> {
  override name = "EnvoyProcessError";
}

export interface StartEnvoyOptions {
  readonly binary: string;
  readonly bootstrap: EnvoyObject;
  /** The one that the bootstrap names. */
  readonly adminSocketPath: string;
  /** Gets `envoy.json` and `envoy.log`; must exist, and belong to this Envoy alone. */
  readonly directory: string;
  /** @default "warning" */
  readonly logLevel?: "debug" | "info" | "warning";
  /** For how long connections live on that a port takes no more. @default as of an operator's Envoy */
  readonly drainSeconds?: number;
}

/**
 * Returns once the process runs; use `waitUntilLive` to know that it has its secrets. @throws
 * EnvoyProcessError
 */
export async function startEnvoy(options: StartEnvoyOptions): Promise<EnvoyProcess> {
  const configPath = join(options.directory, "envoy.json");
  const logPath = join(options.directory, "envoy.log");
  await writeFile(configPath, JSON.stringify(options.bootstrap), { mode: 0o600 });
  await using log = await open(logPath, "w", 0o600);
  const { drainSeconds, logLevel = "warning" } = options;
  const args = [...envoyArguments(configPath, drainSeconds), "--log-level", logLevel];
  const child = spawn(options.binary, args, { stdio: ["ignore", log.fd, log.fd], env: {} });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new EnvoyProcessError("envoy-spawn-failed", `expected ${options.binary} to start`, {
      cause: error,
    });
  }
  return new EnvoyProcess(child, options.adminSocketPath, logPath);
}

const pollMs = 20;
const stopGraceMs = 3_000;

export class EnvoyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #adminSocketPath: string;
  readonly #logPath: string;
  readonly #exited: Promise<unknown>;

  constructor(child: ChildProcess, adminSocketPath: string, logPath: string) {
    this.#child = child;
    this.#adminSocketPath = adminSocketPath;
    this.#logPath = logPath;
    this.#exited = once(child, "exit");
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws EnvoyProcessError if it exits, or if the signal aborts first */
  async waitUntilLive(signal: AbortSignal): Promise<void> {
    let state = "no answer";
    while (!signal.aborted) {
      if (this.#hasExited()) {
        throw new EnvoyProcessError(
          "envoy-exited",
          `expected Envoy to run, got exit ${this.#child.exitCode ?? this.#child.signalCode}: ` +
            (await this.#lastLogLine()),
          { hint: `read ${this.#logPath}` },
        );
      }
      try {
        state = (await adminGet(this.#adminSocketPath, "/ready", signal)).trim();
        if (state === "LIVE") return;
      } catch {
        // The admin socket does not exist yet.
      }
      await sleep(pollMs);
    }
    throw new EnvoyProcessError("envoy-not-live", `expected Envoy to be LIVE, got ${state}`, {
      cause: signal.reason,
      hint: `it waits for its secrets while it is initializing; read ${this.#logPath}`,
    });
  }

  /** Counters and gauges that were ever touched. @param filter a regular expression on the names */
  async stats(filter: string, signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const path = `/stats?usedonly&filter=${encodeURIComponent(filter)}`;
    return parseStats(await adminGet(this.#adminSocketPath, path, signal));
  }

  /** What its TLS contexts hold now. */
  async certificates(signal?: AbortSignal): Promise<EnvoyCertificates> {
    return parseCertificates(await adminGet(this.#adminSocketPath, "/certs", signal));
  }

  /** SIGTERM, and SIGKILL if that does not end it in time. */
  async stop(): Promise<void> {
    if (this.#hasExited()) return;
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMs);
    await this.#exited;
    clearTimeout(kill);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #lastLogLine(): Promise<string> {
    const log = await readFile(this.#logPath, "utf8");
    return log.trim().split("\n").at(-1)?.slice(0, 500) ?? "";
  }
}
