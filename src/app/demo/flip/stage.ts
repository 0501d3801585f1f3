/** What the third act runs: a control plane, a node's agent, an Envoy each for those who have one, and the application behind the servers. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changeResources } from "../../../edge/rpc/resource-client.ts";
import { ControlPlane } from "../control-plane.ts";
import type { DemoError } from "../demo-error.ts";
import { MeshAgent } from "../mesh/mesh-agent.ts";
import { nodeAgentId } from "../mesh/mesh.ts";
import { freePorts } from "../ports.ts";
import { startApp } from "../traffic.ts";
import { demoTrustDomain } from "../workload.ts";
import {
  batch,
  cron,
  flipManifests,
  servers,
  web,
  type FlipPorts,
  type FlipWorkload,
} from "./manifests.ts";
import { startProxy } from "./proxy.ts";

export interface FlipStageOptions {
  readonly envoyBinary: string;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onLost: (error: DemoError) => void;
}

/** Longer than the act: nothing of it is about renewals. */
const leafSeconds = 600;

interface FlipParts {
  readonly directory: string;
  readonly controlPlane: ControlPlane;
  readonly agent: MeshAgent;
  readonly ports: FlipPorts;
}

export class FlipStage implements AsyncDisposable {
  readonly #options: FlipStageOptions;
  readonly #parts: FlipParts;
  readonly #owned: AsyncDisposableStack;

  private constructor(options: FlipStageOptions, parts: FlipParts, owned: AsyncDisposableStack) {
    this.#options = options;
    this.#parts = parts;
    this.#owned = owned;
  }

  /** Resolves when the first call can be made. */
  static async open(options: FlipStageOptions, signal: AbortSignal): Promise<FlipStage> {
    await using owned = new AsyncDisposableStack();
    // mkdtemp makes it 0700.
    const directory = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
    owned.defer(() => rm(directory, { recursive: true, force: true }));
    const parts = await openParts(directory, options, owned, signal);
    const stage = new FlipStage(options, parts, owned.move());
    try {
      const starting = [web, batch, ...servers].map((each) => stage.addProxy(each, signal));
      await Promise.allSettled(starting);
      await Promise.all(starting);
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  /** A gRPC target. */
  get admin(): string {
    return this.#parts.controlPlane.admin;
  }

  get ports(): FlipPorts {
    return this.#parts.ports;
  }

  door({ name }: FlipWorkload): number {
    return this.ports.doors[name] ?? 0;
  }

  /** An Envoy for a workload; ready when it resolves. */
  async addProxy({ name, namespace, account }: FlipWorkload, signal: AbortSignal): Promise<void> {
    const { directory, controlPlane, agent } = this.#parts;
    const proxy = await startProxy(
      {
        name,
        envoyBinary: this.#options.envoyBinary,
        directory: join(directory, `envoy-${name}`),
        sdsSocketPath: agent.sdsSocketPath,
        token: await controlPlane.mintToken(account, namespace),
      },
      signal,
    );
    this.#owned.use(proxy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

async function openParts(
  directory: string,
  { nowMs, random, onLost }: FlipStageOptions,
  owned: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<FlipParts> {
  const [port = 0, metricsPort = 0, inbound = 0, ...doors] = await freePorts(6, random);
  const app = owned.use(await startApp());
  const controlPlane = await ControlPlane.start(
    {
      dataDir: join(directory, "control-plane"),
      port,
      metricsPort,
      ttlSeconds: leafSeconds,
      flags: { "node-agent": nodeAgentId(demoTrustDomain).toString() },
      nowMs,
      onFact: () => {},
      onLost: (_, error) => onLost(error),
    },
    signal,
  );
  owned.use(controlPlane);
  const clients = [web, batch, cron].map(({ name }, at): [string, number] => [
    name,
    doors[at] ?? 0,
  ]);
  const ports = { inbound, app: app.port, doors: Object.fromEntries(clients) };
  const apply = flipManifests(ports).map((manifest) => ({ manifest, origin: "demo" }));
  const order = { apply, remove: [], isDryRun: false, operator: "demo" };
  await changeResources(controlPlane.admin, order);
  const agent = await MeshAgent.start({
    name: "node-1",
    directory: join(directory, "agent"),
    server: controlPlane.address,
    serverRootFile: controlPlane.rootFile,
    token: await controlPlane.mintToken("node-agent", "mesh"),
    nodeIdentity: nodeAgentId(demoTrustDomain).toString(),
    onLost,
  });
  owned.use(agent);
  return { directory, controlPlane, agent, ports };
}
