/** What must hold in a simulated mesh under policy, looked at from outside: by what Envoys do, not by what the server believes. */

import type { ProxyPolicy, Sending } from "../../src/core/policy/proxy-policy.ts";
import { modeOf } from "../../src/core/policy/port-modes.ts";
import { sameValue } from "../../src/core/policy/same-value.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { Violation } from "../world/violation.ts";
import type { SimAgent } from "./agent.ts";
import { ports, type ProxyConfig } from "./config.ts";
import { assertMoved } from "./move-check.ts";
import { assertPush } from "./push-check.ts";
import { pairsOf, sendingsOf, sendingsOfAgent, sendsByPair, type SimSending } from "./sendings.ts";
import type { PolicyWorld } from "./world.ts";

const takes: Readonly<Record<ServerMode, readonly Sending[]>> = {
  disable: ["plaintext", "tls"],
  permissive: ["plaintext", "tls", "mtls"],
  strict: ["mtls"],
};

export class PolicyWatch {
  readonly #world: PolicyWorld;
  /** Pairs of a client's endpoint and its server whose decisions have not agreed since they last did what they are to do. */
  readonly #fought = new Set<string>();
  /** Pairs that are new to their client and have not been well yet: there was no old decision. */
  readonly #fresh = new Set<string>();
  /** Pairs that the configuration has. */
  #wanted: ReadonlySet<string> = new Set();

  constructor(world: PolicyWorld) {
    this.#world = world;
    this.configured();
  }

  configured(): void {
    const { there, config } = this.#world;
    this.#wanted = new Set(
      there.flatMap((each) =>
        [...sendingsOf(each.key, config.desired(each).clusters)].map(({ pair }) => pair),
      ),
    );
    for (const { pair, sends, mode } of this.#decisions()) {
      if (!takes[mode].includes(sends)) this.#fought.add(pair);
    }
  }

  /** No client sends what a server does not take, if each decision since they were last at rest allows it. */
  check(): void {
    for (const client of this.#world.agents) {
      if (this.#world.gone.has(client.key)) continue;
      this.#excuseForgotten(client);
      for (const sending of sendingsOf(client.key, client.envoy.clusters)) {
        const { pair, address, port, sends } = sending;
        const mode = this.#inForceAt(address, port);
        if (mode === undefined) continue;
        if (takes[mode].includes(sends)) {
          if (this.#fresh.has(pair) && this.#surelyTakes(address, port, sends)) {
            this.#fresh.delete(pair);
          }
        } else if (!this.#fought.has(pair) && !this.#fresh.has(pair)) {
          throw new Violation(
            `${client.key} sends ${sends} to ${address}:${port}, which is ${mode}`,
          );
        }
      }
    }
  }

  pushed(key: string, policy: ProxyPolicy): void {
    const proxy = this.#world.config.proxies.find((each) => each.key === key);
    const agent = this.#world.agent(key);
    const report = this.#world.server?.reports.get(key);
    if (proxy === undefined || agent === undefined || this.#world.gone.has(key)) return;
    if (report === undefined || (report.applied === undefined && report.refused === undefined))
      throw new Violation(`${key} is told, and has not said`);
    const desired = this.#world.config.desired(proxy);
    const possible = [...agent.possible(), ...(agent.stream?.down.slice(0, -1) ?? [])];
    assertPush({ proxy, policy, desired, possible, report });
    const { inbound = [] } = typeof report.applied === "object" ? report.applied : {};
    const here = inbound.filter(({ bind }) => bind === proxy.address);
    const had = new Set(here.map(({ port }) => port));
    const isNew = (port: number): boolean =>
      proxy.hasListeners ? !had.has(port) : report.applied === "nothing";
    for (const port of ports) if (isNew(port)) this.#excuseUnknown(proxy, port);
    const told = pairsOf(key, possible);
    for (const pair of sendsByPair(key, policy).keys()) if (!told.has(pair)) this.#fresh.add(pair);
    assertMoved({ world: this.#world, client: key, policy, report, fought: this.#fought });
  }

  /** Everybody does what it is to do, and nobody waits. */
  settled(): void {
    const { server, there, config } = this.#world;
    const progress = server?.rollout.progress();
    for (const proxy of there) {
      const { key } = proxy;
      const applied = this.#world.agent(key)?.disk.lastGood;
      if (!sameValue(applied, config.desired(proxy))) throw new Violation(`${key} stays behind`);
      const { stage, held = [] } = progress?.get(key) ?? {};
      if (stage !== "in-force") throw new Violation(`${key} is ${stage} at rest`);
      if (held.length > 0) throw new Violation(`${key} waits at rest`);
    }
    this.#fought.clear();
    this.#fresh.clear();
    this.configured();
  }

  /** A new port is not opened for plaintext because of those who have not said what they send. */
  #excuseUnknown(server: ProxyConfig, newPort: number): void {
    for (const client of this.#world.agents) {
      if (this.#world.server?.rollout.stage(client.key) !== "unknown") continue;
      for (const { pair, address, port, sends } of sendingsOfAgent(client)) {
        if (address !== server.address || port !== newPort || sends === "mtls") continue;
        this.#fought.add(pair);
      }
    }
  }

  /** Neither the configuration names it, nor has the server been told of it since it started: nobody can wait for it. */
  #excuseForgotten(client: SimAgent): void {
    const { server } = this.#world;
    if (server !== undefined && server.rollout.stage(client.key) !== "unknown") return;
    for (const { pair } of sendingsOfAgent(client)) {
      if (!this.#wanted.has(pair)) this.#fought.add(pair);
    }
  }

  #surelyTakes(address: string, port: number, sends: Sending): boolean {
    const server = this.#world.agent(this.#world.config.at(address)?.key ?? "");
    return (server?.possible() ?? []).every(({ modes }) =>
      takes[modeOf(modes, port)].includes(sends),
    );
  }

  #inForceAt(address: string, port: number): ServerMode | undefined {
    const server = this.#world.config.at(address);
    if (server === undefined || this.#world.gone.has(server.key)) return undefined;
    return this.#world.agent(server.key)?.envoy.modeAt(address, port);
  }

  *#decisions(): Generator<SimSending & { readonly mode: ServerMode }> {
    const { config, there } = this.#world;
    for (const proxy of there) {
      for (const sending of sendingsOf(proxy.key, config.desired(proxy).clusters)) {
        const mode = config.at(sending.address)?.modes.get(sending.port);
        if (mode !== undefined) yield { ...sending, mode };
      }
    }
  }
}
