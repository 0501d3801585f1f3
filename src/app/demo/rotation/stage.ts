/** What the second act runs: a control plane, four agents of both kinds, eight workloads with an Envoy each. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlPlane } from "../control-plane.ts";
import type { DemoError } from "../demo-error.ts";
import { Mesh, meshId, nodeAgentId, type AgentPlan } from "../mesh/mesh.ts";
import { freePorts } from "../ports.ts";
import { demoTrustDomain } from "../workload.ts";

export interface RotationStageOptions {
  readonly envoyBinary: string;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onLost: (error: DemoError) => void;
}

/** Retiring a root waits for as long, once or twice: short enough for a minute. */
const leafSeconds = 20;

export const rotationAgents: readonly AgentPlan[] = [
  { name: "web" },
  { name: "cart" },
  { name: "node-1", members: ["pay", "mail", "stock"] },
  { name: "node-2", members: ["users", "search", "audit"] },
];

/** Everybody whose confirmations an agent brings. */
export function identitiesOf({ name, members }: AgentPlan): readonly string[] {
  const ids = (members ?? [name]).map((member) => meshId(demoTrustDomain, member));
  const own = members === undefined ? [] : [nodeAgentId(demoTrustDomain)];
  return [...ids, ...own].map((id) => id.toString());
}

export class RotationStage implements AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly mesh: Mesh;
  readonly #owned: AsyncDisposableStack;

  private constructor(controlPlane: ControlPlane, mesh: Mesh, owned: AsyncDisposableStack) {
    this.controlPlane = controlPlane;
    this.mesh = mesh;
    this.#owned = owned;
  }

  /** Resolves when the first call can be made. */
  static async open(options: RotationStageOptions, signal: AbortSignal): Promise<RotationStage> {
    const { envoyBinary, nowMs, random, onLost } = options;
    await using owned = new AsyncDisposableStack();
    // mkdtemp makes it 0700.
    const directory = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
    owned.defer(() => rm(directory, { recursive: true, force: true }));
    const [port = 0, metricsPort = 0] = await freePorts(2, random);
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
    const mesh = await Mesh.open(
      {
        directory,
        envoyBinary,
        trustDomain: demoTrustDomain,
        agents: rotationAgents,
        server: () => controlPlane.address,
        serverRootFile: controlPlane.rootFile,
        mintToken: (account) => controlPlane.mintToken(account, "mesh"),
        random,
        onLost,
      },
      signal,
    );
    owned.use(mesh);
    return new RotationStage(controlPlane, mesh, owned.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
