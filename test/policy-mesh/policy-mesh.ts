/**
 * A mesh that gets its policy from a server, all of it as processes: sidecar agents for `web-1` and `batch-1`, one node agent for the
 * rest, a real Envoy for each member; and the server's directory of resources, which the test edits.
 */

import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runCli } from "../../src/app/cli/run.ts";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import type { MeshAgent } from "../../src/app/demo/mesh/mesh-agent.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { EnvoyMember } from "./envoy-member.ts";
import { member, members, yamlOf, type Manifest, type ServicePlan } from "./manifests.ts";
import { openStage, startEnvoy, type AgentName, type Stage } from "./stage.ts";

/** As `mtls status -o json` has it. */
export interface ProxyStatus {
  readonly proxy: string;
  readonly workload: string | null;
  readonly state: string;
  readonly ports: readonly {
    readonly port: number;
    readonly wanted: string | null;
    readonly inForce: string | null;
    readonly openPlaintext: number;
  }[];
  readonly waits: readonly { readonly step: string; readonly for: readonly string[] }[];
  readonly refusal: {
    readonly detail: string;
    readonly objects: readonly { readonly kind: string; readonly name: string }[];
  } | null;
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class PolicyMesh implements AsyncDisposable {
  readonly #stage: Stage;
  readonly #owned: AsyncDisposableStack;

  private constructor(stage: Stage, owned: AsyncDisposableStack) {
    this.#stage = stage;
    this.#owned = owned;
  }

  /**
   * Resolves when every Envoy has what it is to do.
   * @param more objects beside the mesh's own, by the names of their files
   */
  static async open(more: Readonly<Record<string, readonly Manifest[]>> = {}): Promise<PolicyMesh> {
    await using owned = new AsyncDisposableStack();
    const stage = await openStage(more, owned);
    return new PolicyMesh(stage, owned.move());
  }

  get server(): ServerProcess {
    return this.#stage.server;
  }

  get envoys(): ReadonlyMap<string, EnvoyMember> {
    return this.#stage.envoys;
  }

  /** What the application of a service has seen: connections and requests. */
  seenBy(host: string): number {
    return this.#stage.apps.get(host)?.seen() ?? 0;
  }

  agent(name: AgentName): MeshAgent {
    const agent = this.#stage.agents.get(name);
    assert(agent !== undefined);
    return agent;
  }

  envoy(name: string): EnvoyMember {
    const envoy = this.#stage.envoys.get(name);
    assert(envoy !== undefined, `${name} has no Envoy`);
    return envoy;
  }

  /** One more Envoy that is the same member: as during a hot restart both listen. */
  async twin(name: string): Promise<EnvoyMember> {
    const { directory, agents } = this.#stage;
    const own = join(directory, `twin-${name}`);
    const envoy = this.#owned.use(await startEnvoy(member(name), agents, own));
    await envoy.live();
    return envoy;
  }

  service(host: string): ServicePlan {
    const service = this.#stage.services.find((each) => each.host === host);
    assert(service !== undefined, `${host} is no service`);
    return service;
  }

  /** Where clients listen for their application's calls of a service. */
  callPort(host: string): number {
    return this.#stage.callPorts.get(host) ?? 0;
  }

  /** A file of the server's directory is another one, from one moment to the next. */
  write(name: string, manifests: readonly Manifest[]): void {
    const path = join(this.#stage.resources, `${name}.yaml`);
    // One that is suddenly empty would be taken for an editor's.
    writeFileSync(`${path}.new`, `# ${name}\n${yamlOf(manifests)}`);
    renameSync(`${path}.new`, path);
  }

  /** Resolves when the server's configuration is another one because of `change`. */
  async changed(change: () => void | Promise<void>): Promise<void> {
    const before = (await this.#said()).sequence;
    await change();
    for (const endMs = performance.now() + 10_000; performance.now() < endMs; await sleep(20)) {
      if ((await this.#said()).sequence > before) return;
    }
    assert.fail("the configuration has not changed");
  }

  /** Outside of that directory. */
  path(name: string): string {
    return join(this.#stage.directory, name);
  }

  /** A file outside of that directory. @returns its path */
  file(name: string, manifests: readonly Manifest[]): string {
    const path = this.path(name);
    writeFileSync(path, yamlOf(manifests));
    return path;
  }

  /** A verb of the operator. */
  async say(...argv: readonly string[]): Promise<Said> {
    let out = "";
    let err = "";
    const code = await runCli([...argv, "--admin", this.server.admin], {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      env: { USER: "ada" },
      signal: new AbortController().signal,
      nowMs: Date.now,
      isTty: false,
      columns: 120,
      registry: REGISTRY,
    });
    return { code, out, err };
  }

  async status(): Promise<readonly ProxyStatus[]> {
    return (await this.#said()).proxies;
  }

  async statusOf(name: string): Promise<ProxyStatus> {
    const found = (await this.status()).find(({ proxy }) => proxy === name);
    assert(found !== undefined, `${name} is not in mtls status`);
    return found;
  }

  /** @throws with the last status if it does not come true in time */
  async until(
    isTrue: (status: readonly ProxyStatus[]) => boolean,
    what: string,
    timeoutMs = 20_000,
  ): Promise<void> {
    for (const endMs = performance.now() + timeoutMs; ; await sleep(50)) {
      const status = await this.status();
      if (isTrue(status)) return;
      if (performance.now() > endMs) {
        const { out } = await this.say("mtls", "status");
        assert.fail(`expected ${what}, got\n${out}`);
      }
    }
  }

  /** Until all is in force, and each port of `hosts` takes what is said. */
  async untilInForce(modes: Readonly<Record<string, string>> = {}): Promise<void> {
    const wanted = new Map(
      Object.entries(modes).map(([host, mode]) => [this.service(host).port, mode]),
    );
    const isSo = ({ state, ports }: ProxyStatus): boolean =>
      state === "in-force" &&
      ports.every(
        ({ port, inForce, openPlaintext }) =>
          openPlaintext === 0 && (wanted.get(port) ?? inForce) === inForce,
      );
    await this.until(
      (all) => all.length === members.length && all.every(isSo),
      `${JSON.stringify(modes)} in force`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  async #said(): Promise<MeshStatus> {
    const { out, err } = await this.say("mtls", "status", "-o", "json");
    assert.equal(err, "");
    return JSON.parse(out);
  }
}

interface MeshStatus {
  readonly sequence: number;
  readonly proxies: readonly ProxyStatus[];
}
