/** A member's Envoy: nothing is in its bootstrap but where its agent is. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { killAtExit } from "../../src/app/demo/program.ts";
import { adsBootstrap } from "../../src/core/envoy/ads-bootstrap.ts";
import type { SdsCredential } from "../../src/core/envoy/tls-context.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { testEnvoy } from "../support/envoy.ts";

export interface EnvoyMemberOptions {
  /** Its node id. */
  readonly name: string;
  /** Is made. */
  readonly directory: string;
  readonly sdsSocketPath: string;
  readonly sdsCredential: SdsCredential;
  readonly variant: "sotw" | "delta";
  /** For how long connections live on that a port takes no more. */
  readonly drainSeconds: number;
}

export class EnvoyMember implements AsyncDisposable {
  readonly #options: EnvoyMemberOptions;
  #envoy: EnvoyProcess;
  #lastResort: Disposable;

  private constructor(options: EnvoyMemberOptions, envoy: EnvoyProcess) {
    this.#options = options;
    this.#envoy = envoy;
    this.#lastResort = killAtExit(envoy.pid ?? 0);
  }

  static async start(options: EnvoyMemberOptions): Promise<EnvoyMember> {
    await mkdir(options.directory, { mode: 0o700 });
    return new EnvoyMember(options, await start(options));
  }

  get pid(): number {
    return this.#envoy.pid ?? 0;
  }

  /** Resolves when it has all of its listeners. */
  async live(timeoutMs = 30_000): Promise<void> {
    await this.#envoy.waitUntilLive(AbortSignal.timeout(timeoutMs));
  }

  /** Ended, and a new one in its place. */
  async restart(): Promise<void> {
    await this.#envoy.stop();
    this.#lastResort[Symbol.dispose]();
    this.#envoy = await start(this.#options);
    this.#lastResort = killAtExit(this.#envoy.pid ?? 0);
  }

  /** @param filter a regular expression. Those that were ever touched */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    return this.#envoy.stats(filter);
  }

  /** The sum over all whose names match. */
  async count(filter: string): Promise<number> {
    return [...(await this.stats(filter)).values()].reduce((sum, each) => sum + each, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy.stop();
    this.#lastResort[Symbol.dispose]();
  }
}

async function start(options: EnvoyMemberOptions): Promise<EnvoyProcess> {
  const { name, directory, sdsSocketPath, sdsCredential, variant, drainSeconds } = options;
  const adminSocketPath = join(directory, "admin.sock");
  const bootstrap = adsBootstrap({
    nodeId: name,
    nodeCluster: "mesh",
    sdsSocketPath,
    sdsCredential,
    adminSocketPath,
    variant,
    labels: new Map(),
  });
  const binary = await testEnvoy();
  return startEnvoy({ binary, bootstrap, directory, adminSocketPath, drainSeconds });
}
