/** One workload of the demo: an agent, which may be killed and comes back, and its Envoy. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { envoyBootstrap } from "../../core/envoy/bootstrap.ts";
import type { InboundListener, OutboundListener } from "../../core/envoy/listen.ts";
import { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import type { EnvoyCertificate } from "../../edge/envoy/admin.ts";
import { startEnvoy, type EnvoyProcess } from "../../edge/envoy/process.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { WorkloadName } from "./fact.ts";
import { commandWords, killAtExit, startTold, type Program, type ProgramHooks } from "./program.ts";
import { tlsCounters, type TlsCounters } from "./tls-counters.ts";

export interface WorkloadOptions extends ProgramHooks {
  readonly name: WorkloadName;
  readonly directory: string;
  readonly controlPlane: ControlPlane;
  readonly envoyBinary: string;
  readonly inbound: readonly InboundListener[];
  readonly outbound: readonly OutboundListener[];
  /** Where Envoy counts what the demo looks at. */
  readonly tlsScope: string;
}

/** What its Envoy says. */
export interface EnvoyReading {
  /** The newest in its TLS contexts. */
  readonly certificate: EnvoyCertificate | undefined;
  readonly tls: TlsCounters;
}

export const demoTrustDomain: TrustDomain = TrustDomain.parse("cluster.local");

export function workloadId(name: WorkloadName): SpiffeId {
  return SpiffeId.forServiceAccount(demoTrustDomain, "demo", name);
}

export class Workload implements AsyncDisposable {
  readonly #options: WorkloadOptions;
  readonly #envoy: EnvoyProcess;
  readonly #owned: AsyncDisposableStack;
  #agent: Program;

  private constructor(
    options: WorkloadOptions,
    agent: Program,
    envoy: EnvoyProcess,
    owned: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#agent = agent;
    this.#envoy = envoy;
    this.#owned = owned;
  }

  /** Resolves when its Envoy has its secrets and has opened its ports. */
  static async start(options: WorkloadOptions, signal: AbortSignal): Promise<Workload> {
    const { directory, controlPlane, name, envoyBinary } = options;
    await mkdir(directory, { mode: 0o700 });
    const token = await controlPlane.mintToken(name);
    await writeFile(join(directory, "token"), token, { mode: 0o600 });
    await using owned = new AsyncDisposableStack();
    const agent = owned.use(await startAgent(options));
    const adminSocketPath = adminSocket(directory);
    const bootstrap = envoyBootstrap({
      nodeId: `${name}-0`,
      nodeCluster: name,
      trustDomain: demoTrustDomain,
      sdsSocketPath: sdsSocket(directory),
      adminSocketPath,
      inbound: options.inbound,
      outbound: options.outbound,
    });
    const envoy = await startEnvoy({ binary: envoyBinary, bootstrap, directory, adminSocketPath });
    const lastResort = killAtExit(envoy.pid ?? 0);
    owned.defer(async () => {
      await envoy.stop();
      lastResort[Symbol.dispose]();
    });
    await envoy.waitUntilLive(signal);
    return new Workload(options, agent, envoy, owned.move());
  }

  get name(): WorkloadName {
    return this.#options.name;
  }

  get agentPid(): number {
    return this.#agent.pid;
  }

  get adminSocketPath(): string {
    return adminSocket(this.#options.directory);
  }

  async killAgent(): Promise<void> {
    const { name, nowMs, onFact } = this.#options;
    onFact({ kind: "killed", atMs: nowMs(), program: `${name} agent`, pid: this.agentPid });
    await this.#agent.kill();
  }

  async restartAgent(): Promise<void> {
    this.#agent = await startAgent(this.#options);
  }

  async read(signal: AbortSignal): Promise<EnvoyReading> {
    const { tlsScope } = this.#options;
    const [{ chain }, stats] = await Promise.all([
      this.#envoy.certificates(signal),
      this.#envoy.stats(`^${tlsScope}\\.`, signal),
    ]);
    const [certificate] = chain.toSorted((a, b) => b.notAfterMs - a.notAfterMs);
    return { certificate, tls: tlsCounters(stats, tlsScope) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
    // The one that runs now need not be the one that was started first.
    await this.#agent[Symbol.asyncDispose]();
  }
}

async function startAgent(options: WorkloadOptions): Promise<Program> {
  const { name, directory, controlPlane } = options;
  const args = commandWords("agent", {
    server: controlPlane.address,
    "server-root": controlPlane.rootFile,
    "token-file": join(directory, "token"),
    "state-dir": join(directory, "state"),
    "sds-socket": sdsSocket(directory),
    "trust-domain": demoTrustDomain.name,
  });
  return startTold(`${name} agent`, args, options);
}

function sdsSocket(directory: string): string {
  return join(directory, "sds.sock");
}

function adminSocket(directory: string): string {
  return join(directory, "envoy.sock");
}
