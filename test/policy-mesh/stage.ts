/** All processes of the test's mesh, from start to stop: a server, agents of both kinds, an Envoy for each member, their applications. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MeshAgent } from "../../src/app/demo/mesh/mesh-agent.ts";
import { freePorts } from "../../src/app/demo/ports.ts";
import { mint } from "../support/control-plane.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { echoApp, http2App, httpApp, type App } from "./apps.ts";
import { EnvoyMember } from "./envoy-member.ts";
import {
  host,
  meshManifests,
  members,
  yamlOf,
  type Manifest,
  type MemberPlan,
  type Protocol,
  type ServicePlan,
} from "./manifests.ts";

const trustDomain = "mesh.test";
/** Less than an operator's Envoys have, so that nobody waits for long; more than any request takes here. */
const drainSeconds = 4;
const nodeIdentity = `spiffe://${trustDomain}/ns/mesh/sa/node-agent`;

const agentNames = ["web", "batch", "node"] as const;
export type AgentName = (typeof agentNames)[number];
type Agents = ReadonlyMap<AgentName, MeshAgent>;

export interface Stage {
  readonly server: ServerProcess;
  readonly agents: Agents;
  readonly envoys: ReadonlyMap<string, EnvoyMember>;
  readonly services: readonly ServicePlan[];
  /** By the service's host. */
  /** By the service's host. */
  readonly apps: ReadonlyMap<string, App>;
  readonly directory: string;
  /** The server's, of resources. */
  readonly resources: string;
  /** By the service's host: where clients listen for their application's calls. */
  readonly callPorts: ReadonlyMap<string, number>;
}

/**
 * Resolves when every Envoy has what it is to do.
 * @param more objects beside the mesh's own, by the names of their files. @param owned gets all that is to be stopped
 */
export async function openStage(
  more: Readonly<Record<string, readonly Manifest[]>>,
  owned: AsyncDisposableStack,
): Promise<Stage> {
  const directory = owned.use(temporaryDirectory()).path;
  const apps = new Map([
    [host.api, await httpApp(owned)],
    [host.grpc, await http2App(owned)],
    [host.db, await echoApp(owned)],
    [host.otherHttp, await httpApp(owned)],
    [host.otherTcp, await echoApp(owned)],
  ]);
  const { services, callPorts } = await planServices(apps);
  const resources = join(directory, "resources");
  mkdirSync(resources);
  const callPort = ({ host }: ServicePlan): number => callPorts.get(host) ?? 0;
  const files = { mesh: meshManifests(services, callPort), ...more };
  for (const [name, manifests] of Object.entries(files)) {
    writeFileSync(join(resources, `${name}.yaml`), yamlOf(manifests));
  }
  const server = owned.use(
    await ServerProcess.create({
      dataDir: join(directory, "server"),
      flags: { "trust-domain": trustDomain, "node-agent": nodeIdentity, resources },
    }),
  );
  await server.start();
  const agents = await startAgents(directory, server, owned);
  const envoys = await startEnvoys(directory, agents, owned);
  await Promise.all([...envoys.values()].map((each) => each.live()));
  return { server, agents, envoys, services, apps, directory, resources, callPorts };
}

async function planServices(
  apps: ReadonlyMap<string, App>,
): Promise<Pick<Stage, "services" | "callPorts">> {
  const plans: readonly (readonly [string, string, Protocol])[] = [
    [host.api, "api", "HTTP"],
    [host.grpc, "api", "HTTP2"],
    [host.db, "db", "TCP"],
    [host.otherHttp, "other", "HTTP"],
    [host.otherTcp, "other", "TCP"],
  ];
  const ports = await freePorts(2 * plans.length, Math.random);
  const services = plans.map(([host, app, protocol], index) => ({
    host,
    app,
    protocol,
    port: ports[2 * index] ?? 0,
    appPort: apps.get(host)?.port ?? 0,
  }));
  const callPorts = services.map(({ host }, index): [string, number] => [
    host,
    ports[2 * index + 1] ?? 0,
  ]);
  return { services, callPorts: new Map(callPorts) };
}

async function startAgents(
  directory: string,
  server: ServerProcess,
  owned: AsyncDisposableStack,
): Promise<Agents> {
  const start = async (name: AgentName): Promise<[AgentName, MeshAgent]> => {
    const isNode = name === "node";
    const agent = await MeshAgent.start({
      name,
      directory: join(directory, `agent-${name}`),
      server: server.address,
      serverRootFile: server.rootFile,
      token: isNode ? tokenFor("mesh", "node-agent") : tokenFor("web", name),
      onLost: (error) => process.emitWarning(error),
      ...(isNode && { nodeIdentity }),
    });
    return [name, owned.use(agent)];
  };
  return new Map(await Promise.all(agentNames.map(start)));
}

/** Both variants of xDS, at agents of both kinds. */
const sotw: ReadonlySet<string> = new Set(["batch-1", "api-1", "db-1"]);

async function startEnvoys(
  directory: string,
  agents: Agents,
  owned: AsyncDisposableStack,
): Promise<ReadonlyMap<string, EnvoyMember>> {
  const start = async (plan: MemberPlan): Promise<[string, EnvoyMember]> => [
    plan.name,
    owned.use(await startEnvoy(plan, agents, join(directory, `envoy-${plan.name}`))),
  ];
  return new Map(await Promise.all(members.map(start)));
}

/** @param directory is made */
export async function startEnvoy(
  { name, namespace, serviceAccount }: MemberPlan,
  agents: Agents,
  directory: string,
): Promise<EnvoyMember> {
  const own = serviceAccount === "web" || serviceAccount === "batch" ? serviceAccount : "node";
  const token = tokenFor(namespace, serviceAccount);
  return EnvoyMember.start({
    name,
    directory,
    sdsSocketPath: agents.get(own)?.sdsSocketPath ?? "",
    sdsCredential: own === "node" ? { kind: "token", token } : { kind: "none" },
    variant: sotw.has(name) ? "sotw" : "delta",
    drainSeconds,
  });
}

function tokenFor(namespace: string, account: string): string {
  const binding = {
    namespace,
    serviceaccount: { name: account, uid: `sa-${account}` },
    pod: { name: `${account}-0`, uid: `pod-${account}` },
  };
  const sub = `system:serviceaccount:${namespace}:${account}`;
  return mint({ sub, "kubernetes.io": binding });
}
