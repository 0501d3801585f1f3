/** No client of the mesh sends what a server of the mesh does not take, but where the configuration has it so. */

import type { OutboundEndpoint, ProxyPolicy, Sending } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { Violation } from "../world/violation.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import type { FlipWorld } from "./world.ts";

const takes: Readonly<Record<ServerMode, readonly Sending[]>> = {
  disable: ["plaintext", "tls"],
  permissive: ["plaintext", "tls", "mtls"],
  strict: ["mtls"],
};

export class CallsCheck {
  readonly #world: FlipWorld;
  /** Pairs whose decisions have not agreed since they last did what they are to do. */
  readonly #fought = new Set<string>();

  constructor(world: FlipWorld) {
    this.#world = world;
  }

  /** What is in force may be another. */
  check(): void {
    this.#eachPair((client, server) => {
      for (const { address, port, sends } of client.envoy.endpoints) {
        const mode = address === server.address ? server.envoy.modeOf(port) : undefined;
        if (mode === undefined || takes[mode].includes(sends)) continue;
        if (this.#fought.has(pairOf(client, server, port))) continue;
        throw new Violation(`${client.name} sends ${sends} to ${server.name}:${port}: ${mode}`);
      }
    });
  }

  /** An endpoint that is new to its client: there is nothing better to tell it, until its server takes it. */
  told(client: Pod, policy: ProxyPolicy): void {
    const had = [...client.agent.possible().flatMap(endpointsIn), ...client.envoy.endpoints];
    const known = new Set(had.map(socketOf));
    for (const endpoint of endpointsIn(policy)) {
      if (known.has(socketOf(endpoint))) continue;
      const server = this.#world.there.find(({ address }) => address === endpoint.address);
      if (server !== undefined) this.#fought.add(pairOf(client, server, endpoint.port));
    }
  }

  /** What is to be in force may be another. */
  decided(): void {
    const { server: process, isPlaintextRule } = this.#world;
    if (process === undefined) return;
    this.#eachPair((client, server) => {
      for (const port of apiPorts) {
        const mode = process.policy.modeOf(server.name, port);
        const sends = mode === "disable" || isPlaintextRule ? "plaintext" : "mtls";
        const pair = pairOf(client, server, port);
        if (!takes[mode].includes(sends)) this.#fought.add(pair);
        else if (this.#fought.has(pair) && this.#isCalm(client, server, port, { mode, sends }))
          this.#fought.delete(pair);
      }
    });
  }

  #isCalm(
    client: Pod,
    server: Pod,
    port: number,
    decided: { readonly mode: ServerMode; readonly sends: Sending },
  ): boolean {
    const { policy } = this.#world.server ?? {};
    const isStill = ({ name }: Pod): boolean => {
      const key = policy?.told.get(name)?.identity.key;
      return key !== undefined && policy?.rollout.stage(key) === "in-force";
    };
    if (!isStill(client) || !isStill(server)) return false;
    const sent = client.envoy.endpoints.find(
      (each) => each.address === server.address && each.port === port,
    );
    return sent?.sends === decided.sends && server.envoy.modeOf(port) === decided.mode;
  }

  #eachPair(look: (client: Pod, server: Pod) => void): void {
    const { there } = this.#world;
    for (const client of there) {
      if (client.app !== "web") continue;
      for (const server of there) if (server.app === "api") look(client, server);
    }
  }
}

function endpointsIn({ clusters }: Pick<ProxyPolicy, "clusters">): readonly OutboundEndpoint[] {
  return clusters.flatMap(({ endpoints }) => endpoints);
}

function socketOf({ address, port }: OutboundEndpoint): string {
  return `${address} ${port}`;
}

function pairOf(client: Pod, server: Pod, port: number): string {
  return `${client.name} ${namespace}/${server.name}:${port}`;
}
