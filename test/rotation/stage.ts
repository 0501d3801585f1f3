/** What a rig is made of, from start to stop: a server, agents, an Envoy for each workload, wires in between where they are needed. */

import { join } from "node:path";
import { Mesh, nodeAgentId, type AgentPlan } from "../../src/app/demo/mesh/mesh.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { mint } from "../support/control-plane.ts";
import { testEnvoy } from "../support/envoy.ts";
import { ServerProcess, type Mortality } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Wire } from "../support/wire.ts";

export const trustDomain: TrustDomain = TrustDomain.parse("mesh.test");
const startTimeoutMs = 60_000;
const complaintsMax = 1_000;

export interface RigOptions {
  readonly agents: readonly AgentPlan[];
  /** Life of a certificate, in seconds. */
  readonly ttlSeconds: number;
  readonly ratePerSecond: number;
  /**
   * Whether agents reach the server over wires that can be cut. Those are in the process that makes the traffic, and are as
   * slow as it is on a machine that is busy.
   */
  readonly isWired?: boolean;
  /** More of the server's. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Of its first life. */
  readonly mortality?: (directory: string) => Mortality;
}

export interface Stage {
  readonly server: ServerProcess;
  readonly mesh: Mesh;
  /** By the agents' names. */
  readonly wires: ReadonlyMap<string, Wire>;
  /** What agents have complained of, in order; the first ones. */
  readonly complaints: readonly string[];
}

/** Resolves when every Envoy serves. @param owned gets all that is to be stopped */
export async function openStage(options: RigOptions, owned: AsyncDisposableStack): Promise<Stage> {
  const directory = owned.use(temporaryDirectory()).path;
  const server = owned.use(await startServer(options, directory));
  const wires = new Map<string, Wire>();
  for (const { name } of options.isWired === true ? options.agents : []) {
    wires.set(name, owned.use(await Wire.open(server.address)));
  }
  const complaints: string[] = [];
  const mesh = await Mesh.open(
    {
      directory,
      envoyBinary: await testEnvoy(),
      trustDomain,
      agents: options.agents,
      server: (agent) => wires.get(agent)?.address ?? server.address,
      serverRootFile: server.rootFile,
      mintToken: async (account) => mintFor(account),
      random: Math.random,
      onLost: (error) => process.emitWarning(error),
      onLine: (agent, line) => {
        const isComplaint = !line.includes('"level":"info"');
        if (isComplaint && complaints.length < complaintsMax) complaints.push(`${agent}: ${line}`);
      },
    },
    AbortSignal.timeout(startTimeoutMs),
  );
  owned.use(mesh);
  return { server, mesh, wires, complaints };
}

async function startServer(options: RigOptions, directory: string): Promise<ServerProcess> {
  const server = await ServerProcess.create({
    dataDir: join(directory, "server"),
    flags: {
      "trust-domain": trustDomain.name,
      "default-ttl": `${options.ttlSeconds}s`,
      "node-agent": nodeAgentId(trustDomain).toString(),
      ...options.flags,
    },
  });
  await server.start(options.mortality?.(directory));
  return server;
}

function mintFor(account: string): string {
  const namespace = "mesh";
  const binding = {
    namespace,
    serviceaccount: { name: account, uid: `sa-${account}` },
    pod: { name: `${account}-0`, uid: `pod-${account}` },
  };
  const sub = `system:serviceaccount:${namespace}:${account}`;
  return mint({ sub, "kubernetes.io": binding });
}
