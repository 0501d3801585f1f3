/** A simulated workload of the mesh with its Envoy and its agent, on a host with a clock of its own. */

import type { InboundProtocol, ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { SimAgent } from "../policy/agent.ts";
import type { AgentConnections } from "./agent-connections.ts";
import { EnvoyEar, type EarSurroundings } from "./envoy-ear.ts";
import { EnvoyTraffic } from "./envoy-traffic.ts";
import { apiPorts } from "./mesh-objects.ts";
import { PodEnvoy } from "./pod-envoy.ts";
import type { PodNames } from "./pod-names.ts";
import { PodMemory } from "./pod-memory.ts";
import { PodWork, refusingIn } from "./pod-work.ts";
import { PodTalk, type TalkSurroundings } from "./pod-talk.ts";

export interface PodSurroundings extends TalkSurroundings, EarSurroundings {
  readonly protocolOf: (port: number) => InboundProtocol;
  /** What its Envoy does may be another. */
  readonly onChange: () => void;
}

export class Pod {
  readonly name: string;
  readonly app: PodNames["app"];
  readonly address: string;
  readonly agent: SimAgent;
  readonly envoy: PodEnvoy;
  readonly traffic: EnvoyTraffic;
  readonly talk: PodTalk;
  connections: AgentConnections;
  isGone = false;
  /** Its agent loses what Envoy tells of connections. */
  isDeaf = false;
  /** Its certificate is not taken. */
  isBroken = false;
  readonly addedMs: number;
  /** Since when no stream of its agent is open; undefined while one is. */
  awaySinceMs: number | undefined;
  /** Since when its Envoy and its agent are those that they are. */
  bornMs: number;
  readonly #clockMs: number;
  readonly #around: PodSurroundings;
  readonly #ear: EnvoyEar;
  readonly #work: PodWork;
  readonly #memory: PodMemory;

  constructor({ name, app, address, clockMs }: PodNames, around: PodSurroundings) {
    [this.name, this.app, this.address] = [name, app, address];
    this.envoy = new PodEnvoy(address);
    this.#clockMs = clockMs;
    this.#around = around;
    this.bornMs = this.addedMs = this.awaySinceMs = around.timeline.nowMs;
    const { timeline, random, protocolOf } = around;
    this.envoy.onGiven = (policy) => this.connections.given(refusingIn(policy));
    this.envoy.onStep = () => {
      this.traffic.policyChanged(apiPorts);
      around.onChange();
    };
    this.#ear = new EnvoyEar(this, around);
    this.traffic = new EnvoyTraffic({
      timeline,
      random,
      hostMs: () => this.hostMs,
      modeAt: (port) => this.envoy.modeOf(port),
      protocolOf,
      tell: (entry) => this.#ear.logged(entry),
    });
    this.agent = new SimAgent(name, this.envoy, true);
    this.talk = new PodTalk(this, around);
    this.#work = new PodWork(this, around);
    this.#memory = new PodMemory({ timeline, proxyId: name, hostMs: () => this.hostMs });
    this.connections = this.#newConnections();
  }

  get isAlive(): boolean {
    return this.agent.isAlive;
  }

  /** Its agent, what its Envoy tells of connections. */
  get hears(): boolean {
    return !this.isDeaf && this.agent.isAlive && this.connections.hasLog;
  }

  get hostMs(): number {
    return this.#around.timeline.nowMs + this.#clockMs;
  }

  /** Of its counters, whether there is an agent to hear it or not. */
  flush(): void {
    this.#ear.flushed(this.traffic.stats());
  }

  startAgent(isForgetful: boolean): void {
    this.bornMs = this.#around.timeline.nowMs;
    this.connections = this.#newConnections();
    this.agent.start(isForgetful);
    this.poke();
  }

  /** @param forgets what was acknowledged */
  killAgent(forgets: boolean): void {
    if (forgets) this.#memory.forget();
    this.talk.link = undefined;
    this.talk.reports.end();
    this.agent.kill();
  }

  /** @param isOrderly by SIGTERM */
  restartEnvoy(isOrderly: boolean): void {
    if (isOrderly) {
      this.traffic.terminate();
      this.flush();
    }
    this.bornMs = this.#around.timeline.nowMs;
    this.connections.detach();
    this.traffic.restart();
    this.envoy.restart();
    this.#around.onLost();
    if (!this.agent.isAlive) return;
    this.connections.attach();
    this.agent.envoyStarted();
    this.poke();
  }

  receivePolicy(policy: ProxyPolicy): void {
    if (!this.agent.isAlive) return;
    this.agent.receive(policy);
    this.poke();
  }

  onAcknowledged(): void {
    const { connections } = this;
    this.#memory.keep(connections, () => connections === this.connections && this.agent.isAlive);
  }

  poke(): void {
    this.#work.poke();
  }

  #newConnections(): AgentConnections {
    const connections = this.#memory.begin();
    connections.feed.onNew = () => {
      if (connections === this.connections) this.talk.reports.soon();
    };
    connections.attach();
    return connections;
  }
}
