/** A mesh of workloads, each with an Envoy, at agents of both kinds. All of them call all others. */

import { join } from "node:path";
import { SpiffeId, type TrustDomain } from "../../../core/spiffe/id.ts";
import type { DemoError } from "../demo-error.ts";
import { freePorts } from "../ports.ts";
import { MeshAgent } from "./mesh-agent.ts";
import { Member } from "./member.ts";
import type { MemberAddress } from "./mesh-bootstrap.ts";

/** Whom an agent serves: a sidecar's its one workload, which has its name; a node's several. */
export interface AgentPlan {
  readonly name: string;
  /** Undefined makes it a sidecar's. */
  readonly members?: readonly string[];
}

export interface MeshOptions {
  readonly directory: string;
  readonly envoyBinary: string;
  readonly trustDomain: TrustDomain;
  readonly agents: readonly AgentPlan[];
  /** Where an agent finds the server, by the agent's name. */
  readonly server: (agent: string) => string;
  readonly serverRootFile: string;
  readonly mintToken: (serviceAccount: string) => Promise<string>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onLost: (error: DemoError) => void;
  /** Takes the agents' diagnostics. */
  readonly onLine?: (agent: string, line: string) => void;
}

const namespace = "mesh";
const nodeAgentAccount = "node-agent";

export function meshId(trustDomain: TrustDomain, serviceAccount: string): SpiffeId {
  return SpiffeId.forServiceAccount(trustDomain, namespace, serviceAccount);
}

/** What the server has to list for the nodes' agents. */
export function nodeAgentId(trustDomain: TrustDomain): SpiffeId {
  return meshId(trustDomain, nodeAgentAccount);
}

export class Mesh implements AsyncDisposable {
  readonly agents: ReadonlyMap<string, MeshAgent>;
  readonly members: ReadonlyMap<string, Member>;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    agents: readonly MeshAgent[],
    members: readonly Member[],
    owned: AsyncDisposableStack,
  ) {
    this.agents = new Map(agents.map((agent) => [agent.name, agent]));
    this.members = new Map(members.map((member) => [member.name, member]));
    this.#owned = owned;
  }

  /** Resolves when every Envoy has its secrets. */
  static async open(options: MeshOptions, signal: AbortSignal): Promise<Mesh> {
    await using owned = new AsyncDisposableStack();
    const plans = options.agents;
    const addresses = await assignPorts(options, plans.flatMap(memberNames));
    const agents = await settleAll(
      plans.map(async (plan) => owned.use(await startAgent(options, plan))),
    );
    const members = await settleAll(
      plans.flatMap((plan, index) =>
        memberNames(plan).map(async (name) => {
          const sdsSocketPath = agents[index]?.sdsSocketPath ?? "";
          return owned.use(await startMember(options, plan, name, addresses, sdsSocketPath));
        }),
      ),
    );
    await settleAll(members.map((member) => member.waitUntilLive(signal)));
    return new Mesh(agents, members, owned.move());
  }

  agent(name: string): MeshAgent {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new TypeError(`expected an agent, got ${name}`);
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function memberNames({ name, members = [name] }: AgentPlan): readonly string[] {
  return members;
}

async function assignPorts(
  { random, trustDomain }: MeshOptions,
  names: readonly string[],
): Promise<readonly MemberAddress[]> {
  const ports = await freePorts(names.length, random);
  return names.map((name, index) => ({
    name,
    id: meshId(trustDomain, name),
    port: ports[index] ?? 0,
  }));
}

async function startAgent(options: MeshOptions, plan: AgentPlan): Promise<MeshAgent> {
  const { directory, server, serverRootFile, mintToken, onLost, onLine, trustDomain } = options;
  const { name } = plan;
  const isNode = plan.members !== undefined;
  return MeshAgent.start({
    name,
    directory: join(directory, `agent-${name}`),
    server: server(name),
    serverRootFile,
    token: await mintToken(isNode ? nodeAgentAccount : name),
    onLost,
    ...(onLine && { onLine: (line: string) => onLine(name, line) }),
    ...(isNode && { nodeIdentity: nodeAgentId(trustDomain).toString() }),
  });
}

async function startMember(
  { directory, envoyBinary, mintToken }: MeshOptions,
  plan: AgentPlan,
  name: string,
  addresses: readonly MemberAddress[],
  sdsSocketPath: string,
): Promise<Member> {
  const own = addresses.find((address) => address.name === name);
  if (own === undefined) throw new TypeError(`${name} has no address`);
  const isNode = plan.members !== undefined;
  return Member.start({
    own,
    peers: addresses.filter((address) => address !== own),
    envoyBinary,
    directory: join(directory, `envoy-${name}`),
    sdsSocketPath,
    sdsCredential: isNode ? { kind: "token", token: await mintToken(name) } : { kind: "none" },
  });
}

/** What has started is owned by then, also when others could not start. */
async function settleAll<T>(starting: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(starting);
  return Promise.all(starting);
}
