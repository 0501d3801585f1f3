/**
 * A mesh of real processes in one directory: a control plane of `dev`, and workloads with an agent
 * and an Envoy each.
 */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusValue } from "../../src/app/cli/status-value.ts";
import { TokenIssuer } from "../../src/app/dev/token-issuer.ts";
import { envoyBootstrap } from "../../src/core/envoy/bootstrap.ts";
import { parseInbound, parseOutbound } from "../../src/core/envoy/listen.ts";
import type { EnvoyObject } from "../../src/core/envoy/tls-context.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { waitForEndpoints } from "../../src/edge/config/endpoints.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { freePort, testEnvoy } from "./envoy.ts";
import { PortcullisProcess, runVerb, type VerbResult } from "./mesh-process.ts";

const trustDomain = TrustDomain.parse("mesh.test");

export class ControlPlaneProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly address: string;
  readonly #args: readonly string[];
  #process: PortcullisProcess | undefined;

  private constructor(dataDir: string, address: string, ttl: string) {
    this.dataDir = dataDir;
    this.address = address;
    const life = ["--trust-domain", trustDomain.name, "--default-ttl", ttl];
    const listen = ["--listen", address, "--metrics-listen", "127.0.0.1:0"];
    this.#args = ["dev", "--data-dir", dataDir, ...listen, ...life];
  }

  /** @param ttl of the certificates that it signs */
  static async create(directory: string, ttl: string): Promise<ControlPlaneProcess> {
    const address = `127.0.0.1:${await freePort()}`;
    return new ControlPlaneProcess(join(directory, "dev"), address, ttl);
  }

  get process(): PortcullisProcess {
    assert(this.#process !== undefined, "the control plane has not been started");
    return this.#process;
  }

  /** Again on the same directory and address after a kill. Resolves when it is ready. */
  async start(): Promise<void> {
    this.#process = await PortcullisProcess.start(this.#args, `${this.dataDir}.log`);
    const signal = AbortSignal.timeout(10_000);
    const { pid } = await waitForEndpoints(this.dataDir, { timeoutMs: 10_000, signal });
    assert.equal(pid, this.process.pid);
  }

  async status(): Promise<VerbResult & { readonly value: StatusValue }> {
    const result = await runVerb("status", "--data-dir", this.dataDir, "-o", "json");
    return { ...result, value: JSON.parse(result.stdout || "{}") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

export interface WorkloadOptions {
  readonly name: string;
  /** What stands behind its inbound port. */
  readonly appPort: number;
  /** Whom its outbound port leads to; itself by default. */
  readonly callee?: Workload;
  readonly agentFlags?: readonly string[];
}

export class Workload implements AsyncDisposable {
  readonly name: string;
  readonly id: SpiffeId;
  readonly inbound: number;
  readonly outbound: number;
  readonly directory: string;
  readonly #controlPlane: ControlPlaneProcess;
  readonly #options: WorkloadOptions;
  #agent: PortcullisProcess | undefined;
  #envoy: EnvoyProcess | undefined;

  private constructor(
    controlPlane: ControlPlaneProcess,
    options: WorkloadOptions,
    ports: readonly [number, number],
  ) {
    this.#controlPlane = controlPlane;
    this.#options = options;
    this.name = options.name;
    this.id = SpiffeId.forServiceAccount(trustDomain, "shop", options.name);
    this.directory = join(controlPlane.dataDir, "..", options.name);
    [this.inbound, this.outbound] = ports;
  }

  /** Neither agent nor Envoy are started. */
  static async create(
    controlPlane: ControlPlaneProcess,
    options: WorkloadOptions,
  ): Promise<Workload> {
    const ports = [await freePort(), await freePort()] as const;
    const workload = new Workload(controlPlane, options, ports);
    mkdirSync(workload.directory, { mode: 0o700 });
    const issuer = await TokenIssuer.open(controlPlane.dataDir);
    const token = await issuer.mintToken({
      namespace: "shop",
      serviceAccount: options.name,
      audiences: ["istio-ca"],
      ttlSeconds: 600,
      nowMs: Date.now(),
      pod: { name: `${options.name}-0` },
    });
    writeFileSync(join(workload.directory, "token"), token, { mode: 0o600 });
    return workload;
  }

  get agent(): PortcullisProcess {
    assert(this.#agent !== undefined, "the agent has not been started");
    return this.#agent;
  }

  get envoy(): EnvoyProcess {
    assert(this.#envoy !== undefined, "Envoy has not been started");
    return this.#envoy;
  }

  async startAgent(): Promise<void> {
    const { address, dataDir } = this.#controlPlane;
    const { directory } = this;
    const server = ["--server", address, "--server-root", join(dataDir, "root-cert.pem")];
    const own = ["--token-file", join(directory, "token"), "--state-dir", join(directory, "state")];
    const args = ["agent", ...server, ...own, "--sds-socket", this.#sdsSocketPath];
    const flags = [...args, ...(this.#options.agentFlags ?? [])];
    this.#agent = await PortcullisProcess.start(flags, join(directory, "agent.log"));
  }

  /** Resolves when it runs, not when it has its secrets. */
  async startEnvoy(): Promise<void> {
    this.#envoy = await this.#startEnvoy("envoy", this.name, (bootstrap) => bootstrap);
  }

  /** One more Envoy at the same agent, which takes one secret for another. */
  async startConfusedEnvoy(): Promise<EnvoyProcess> {
    return this.#startEnvoy("confused", `${this.name}-confused`, (bootstrap) => {
      return JSON.parse(JSON.stringify(bootstrap).replaceAll('"default"', '"ROOTCA"'));
    });
  }

  async #startEnvoy(
    directoryName: string,
    nodeId: string,
    change: (bootstrap: EnvoyObject) => EnvoyObject,
  ): Promise<EnvoyProcess> {
    const directory = join(this.directory, directoryName);
    mkdirSync(directory, { mode: 0o700 });
    const adminSocketPath = join(directory, "admin.sock");
    const inbound = directoryName === "envoy" ? this.inbound : await freePort();
    const outbound = directoryName === "envoy" ? this.outbound : await freePort();
    const callee = this.#options.callee ?? this;
    const server = `127.0.0.1:${callee.inbound}@${callee.id.toString()}`;
    const bootstrap = envoyBootstrap({
      nodeId,
      nodeCluster: "shop",
      trustDomain,
      sdsSocketPath: this.#sdsSocketPath,
      adminSocketPath,
      inbound: [parseInbound(`127.0.0.1:${inbound}=127.0.0.1:${this.#options.appPort}`)],
      outbound: [parseOutbound(`127.0.0.1:${outbound}=${server}`)],
    });
    const binary = await testEnvoy();
    return startEnvoy({ binary, bootstrap: change(bootstrap), adminSocketPath, directory });
  }

  async waitUntilLive(): Promise<void> {
    await this.envoy.waitUntilLive(AbortSignal.timeout(10_000));
  }

  /** The serial that all TLS contexts of its Envoy use now; undefined while they differ. */
  async serial(): Promise<string | undefined> {
    const { chain } = await this.envoy.certificates();
    const [first, ...others] = new Set(chain.map(({ serialHex }) => serialHex));
    return others.length === 0 ? first : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy?.stop();
    await this.#agent?.[Symbol.asyncDispose]();
  }

  get #sdsSocketPath(): string {
    return join(this.directory, "sds.sock");
  }
}
