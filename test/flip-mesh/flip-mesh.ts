/** A mesh whose ten servers become strict, all of it as processes: a server, agents of both kinds, an Envoy for each workload. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MeshAgent } from "../../src/app/demo/mesh/mesh-agent.ts";
import { EnvoyMember } from "../policy-mesh/envoy-member.ts";
import { yamlOf, type Manifest } from "../policy-mesh/manifests.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { apis, meshManifests, web, type Ports, type Workload } from "./manifests.ts";
import { Operator } from "./operator.ts";
import {
  nodeIdentity,
  openPorts,
  startAgent,
  tokenFor,
  trustDomain,
  type AgentName,
} from "./parts.ts";

/** Of connections that a port takes no more: less than an operator's Envoys have. */
const drainSeconds = 4;

export class FlipMesh implements AsyncDisposable {
  readonly server: ServerProcess;
  readonly operator: Operator;
  readonly ports: Ports;
  readonly #directory: string;
  readonly #agents: ReadonlyMap<AgentName, MeshAgent>;
  readonly #owned: AsyncDisposableStack;
  #files = 0;

  private constructor(parts: Parts, owned: AsyncDisposableStack) {
    this.server = parts.server;
    this.operator = new Operator(parts.server.admin);
    this.ports = parts.ports;
    this.#directory = parts.directory;
    this.#agents = parts.agents;
    this.#owned = owned;
  }

  /** Resolves when every Envoy has what it is to do. */
  static async open(lookBack: string): Promise<FlipMesh> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const ports = await openPorts(owned, directory);
    const server = owned.use(
      await ServerProcess.create({
        dataDir: join(directory, "server"),
        flags: {
          "trust-domain": trustDomain,
          "node-agent": nodeIdentity,
          "look-back": lookBack,
        },
      }),
    );
    await server.start();
    const names: readonly AgentName[] = ["node", "api", "web"];
    const agents = await Promise.all(
      names.map(async (name) => owned.use(await startAgent(name, directory, server))),
    );
    const byName = new Map(names.map((name, at) => [name, agents[at] ?? assert.fail()]));
    const parts = { server, ports, directory, agents: byName };
    const mesh = new FlipMesh(parts, owned.move());
    try {
      await mesh.apply(meshManifests(ports));
      // The last one has an agent of its own.
      await Promise.all([
        ...apis.map((each, at) => mesh.join(each, "api", at === 9 ? "api" : "node")),
        mesh.join(web, "web", "web"),
      ]);
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  agent(name: AgentName): MeshAgent {
    return this.#agents.get(name) ?? assert.fail(name);
  }

  async apply(manifests: readonly Manifest[]): Promise<void> {
    const path = join(this.#directory, `applied-${(this.#files += 1)}.yaml`);
    writeFileSync(path, yamlOf(manifests));
    const { code, out, err } = await this.operator.say("apply", "-f", path);
    // Who has no proxy has no Sidecar: that is a warning.
    assert.ok(code === 0 || code === 3, out + err);
  }

  /** A workload gets a proxy. Resolves when that has all of its listeners. */
  async join({ name, namespace }: Workload, account: string, agent: AgentName): Promise<void> {
    const token = tokenFor(namespace, account);
    const envoy = this.#owned.use(
      await EnvoyMember.start({
        name,
        directory: join(this.#directory, `envoy-${name}`),
        sdsSocketPath: this.agent(agent).sdsSocketPath,
        sdsCredential: agent === "node" ? { kind: "token", token } : { kind: "none" },
        variant: "delta",
        drainSeconds,
      }),
    );
    await envoy.live(60_000);
  }

  /** As a machine that fails: nothing is flushed, closed or said. */
  async crash(): Promise<void> {
    await this.server.kill();
    await this.server.start();
  }

  /** How often the server has raised the alarm that it takes a flip back by itself. */
  alarms(cause: string): number {
    const parts = ['"level":"error"', '"event":"flip-reverting"', `"cause":"${cause}"`];
    return this.server.log.filter((line) => parts.every((part) => line.includes(part))).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

interface Parts {
  readonly server: ServerProcess;
  readonly ports: Ports;
  readonly directory: string;
  readonly agents: ReadonlyMap<AgentName, MeshAgent>;
}
