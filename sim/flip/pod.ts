/** A simulated workload of the mesh with its Envoy and its agent, on a host with a clock of its own. */

import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import type { OldConnections } from "../../src/core/policy/policy-report.ts";
import type { InboundProtocol, ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { drainingOf } from "../../src/app/agent/policy/draining.ts";
import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import { SimAgent } from "../policy/agent.ts";
import { SimStream, type SimReport } from "../policy/stream.ts";
import type { Random } from "../run/random.ts";
import { AgentConnections } from "./agent-connections.ts";
import { EnvoyTraffic } from "./envoy-traffic.ts";
import type { Link } from "./link.ts";
import { apiPorts } from "./mesh-objects.ts";
import { PodEnvoy } from "./pod-envoy.ts";
import type { Timeline } from "./timeline.ts";

/** Of a pod's proxy, on its mesh stream. */
export interface SaidPolicy {
  readonly report: SimReport;
  readonly draining: ReadonlyMap<number, number>;
  readonly oldConnections: OldConnections;
}

export interface PodSurroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly protocolOf: (port: number) => InboundProtocol;
  /** On its link. */
  readonly sayPolicy: (pod: Pod, link: Link, said: SaidPolicy) => void;
  readonly sayConnections: (pod: Pod, link: Link, report: ConnectionReport) => void;
  /** Its agent does not hear what its Envoy tells of a connection. */
  readonly onLost: (pod: Pod) => void;
  /** What its Envoy does may be another. */
  readonly onChange: () => void;
}

export interface PodNames {
  readonly name: string;
  readonly app: "api" | "web";
  readonly serviceAccount: string;
  readonly address: string;
  readonly clockMs: number;
}

export class Pod {
  readonly name: string;
  readonly app: "api" | "web";
  readonly serviceAccount: string;
  readonly address: string;
  readonly agent: SimAgent;
  readonly envoy: PodEnvoy = new PodEnvoy(true);
  readonly traffic: EnvoyTraffic;
  /** On its agent's disk: what the server has acknowledged. */
  #stored: AgentConnections["acknowledgedLives"] = [];
  readonly #clockMs: number;
  readonly #around: PodSurroundings;
  connections: AgentConnections;
  link: Link | undefined;
  isGone = false;
  /** Its agent loses what Envoy tells of connections. */
  isDeaf = false;
  /** Its certificate is not taken. */
  isBroken = false;
  /** Since when its Envoy and its agent are those that they are. */
  bornMs: number;
  readonly addedMs: number;
  #runs = 0;
  #isPoked = false;
  /** By then all has come that its Envoy has logged. */
  #toldMs = 0;
  #saidOld = "";
  #reportAtMs = Infinity;

  constructor({ name, app, serviceAccount, address, clockMs }: PodNames, around: PodSurroundings) {
    this.name = name;
    this.app = app;
    this.serviceAccount = serviceAccount;
    this.address = address;
    this.#clockMs = clockMs;
    this.#around = around;
    this.bornMs = this.addedMs = around.timeline.nowMs;
    const { timeline, random, protocolOf } = around;
    this.envoy.onGiven = (policy) => this.connections.given(new Set(refusingIn(policy)));
    this.envoy.onStep = () => {
      this.traffic.policyChanged(apiPorts);
      around.onChange();
    };
    this.traffic = new EnvoyTraffic({
      timeline,
      random,
      hostMs: () => this.hostMs,
      modeAt: (port) => this.modeAt(port),
      protocolOf,
      tell: (entry) => {
        const { connections } = this;
        const log = connections.logStream;
        if (!this.hears) return around.onLost(this);
        this.#toldMs = Math.max(this.#toldMs, timeline.nowMs + random.below(15));
        timeline.at(this.#toldMs, () => {
          if (connections.logStream !== log || !this.agent.isAlive) around.onLost(this);
          this.#heard(() => connections.logged(entry, log));
        });
      },
    });
    this.agent = new SimAgent(name, this.envoy, true);
    this.connections = this.#newConnections();
    this.connections.attach();
  }

  /** In force; undefined where nobody listens. */
  modeAt(port: number): ServerMode | undefined {
    // Without an entry it listens on all addresses.
    return this.envoy.modeAt(this.address, port) ?? this.envoy.modeAt("0.0.0.0", port);
  }

  /** Its agent, what its Envoy tells of connections. */
  get hears(): boolean {
    return !this.isDeaf && this.agent.isAlive && this.connections.hasLog;
  }

  get hostMs(): number {
    return this.#around.timeline.nowMs + this.#clockMs;
  }

  /** Each second, whether there is an agent to hear it or not. */
  flush(): void {
    const { timeline, random } = this.#around;
    const { connections } = this;
    const flushes = connections.countersStream;
    if (!this.agent.isAlive || flushes === undefined) return;
    const flush = { takenMs: this.hostMs, stats: this.traffic.stats() };
    timeline.after(1 + random.below(40), () =>
      this.#heard(() => connections.flushed(flush, flushes)),
    );
  }

  startAgent(isForgetful: boolean): void {
    this.bornMs = this.#around.timeline.nowMs;
    this.connections = this.#newConnections();
    this.connections.attach();
    this.agent.start(isForgetful);
    this.poke();
  }

  killAgent(forgets: boolean): void {
    if (forgets) this.#stored = [];
    this.link = undefined;
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
    this.#around.onLost(this);
    if (!this.agent.isAlive) return;
    this.connections.attach();
    this.agent.envoyStarted();
    this.poke();
  }

  connected(link: Link): void {
    this.link = link;
    this.#reportAtMs = Infinity;
    this.agent.connect(new SimStream(this.name));
    this.#saidOld = "";
    const { unacknowledged } = this.connections.reporter;
    if (unacknowledged !== undefined) this.#around.sayConnections(this, link, unacknowledged);
    else this.#reportIn(0);
    this.poke();
  }

  /** It has noticed. */
  disconnected(link: Link): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.agent.stream = undefined;
  }

  receivePolicy(policy: ProxyPolicy): void {
    if (!this.agent.isAlive) return;
    this.agent.receive(policy);
    this.poke();
  }

  receiveAck(ack: ConnectionAck, intervalMs: number): void {
    const { reporter, feed } = this.connections;
    if (!this.agent.isAlive || !reporter.acknowledged(ack)) return;
    const { connections } = this;
    this.#around.timeline.after(200, () => {
      if (connections === this.connections && this.agent.isAlive)
        this.#stored = connections.acknowledgedLives;
    });
    this.#reportIn(reporter.isInTheMiddle ? 0 : feed.hasNew ? 100 : intervalMs);
  }

  /** Something is left to be done: it will be, soon. */
  poke(): void {
    if (this.#isPoked || this.#steps().length === 0) return;
    this.#isPoked = true;
    const { timeline, random } = this.#around;
    timeline.after(1 + random.below(12), () => {
      this.#isPoked = false;
      const steps = this.#steps();
      steps[random.below(Math.max(1, steps.length))]?.();
      this.poke();
    });
  }

  #newConnections(): AgentConnections {
    const runId = `${this.name}-${this.#runs++}`;
    const connections = new AgentConnections({
      proxyId: this.name,
      runId,
      hostMs: () => this.hostMs,
      stored: this.#stored,
    });
    connections.feed.onNew = () => {
      if (connections === this.connections) this.#reportIn(100);
    };
    return connections;
  }

  #heard(hear: () => void): void {
    if (!this.agent.isAlive) return;
    hear();
    this.poke();
  }

  #reportIn(delayMs: number): void {
    const { timeline } = this.#around;
    const atMs = timeline.nowMs + delayMs;
    if (this.link === undefined || atMs >= this.#reportAtMs) return;
    this.#reportAtMs = atMs;
    const { connections, link } = this;
    timeline.at(atMs, () => {
      if (this.#reportAtMs !== atMs) return;
      this.#reportAtMs = Infinity;
      if (this.connections === connections && this.link === link) this.#report(link);
    });
  }

  #report(link: Link): void {
    const { reporter } = this.connections;
    if (!this.agent.isAlive || reporter.unacknowledged !== undefined) return;
    const report = reporter.next();
    if (report === undefined) this.#reportIn(10_000);
    else this.#around.sayConnections(this, link, report);
  }

  #steps(): (() => void)[] {
    const { agent, envoy, link } = this;
    const steps: (() => void)[] = [];
    if (this.isGone || !agent.isAlive) return steps;
    if (envoy.isBusy) steps.push(() => envoy.step(this.#around.random.next()));
    if (envoy.replies.length > 0) steps.push(() => this.#hearEnvoy());
    if (link !== undefined && (agent.hasNews || this.#saidOld !== this.#old().text)) {
      steps.push(() => this.#sayPolicy(link));
    }
    return steps;
  }

  #hearEnvoy(): void {
    const { agent, envoy, connections } = this;
    const [reply] = envoy.replies;
    agent.hearEnvoy();
    if (reply?.isAck !== true) return;
    const { inbound } = reply.policy;
    connections.acknowledged(new Set(inbound.map(({ port }) => port)), refusingIn(reply.policy));
  }

  #sayPolicy(link: Link): void {
    const { agent } = this;
    agent.report();
    const report = agent.stream?.up.pop();
    if (report === undefined) return;
    const { text, draining, oldConnections } = this.#old();
    this.#saidOld = text;
    this.#around.sayPolicy(this, link, { report, draining, oldConnections });
  }

  #old() {
    const { observed, refusing } = this.connections;
    const { open = new Map<number, number>(), isProven = false } =
      observed === undefined ? {} : drainingOf(observed, refusing);
    const oldConnections: OldConnections =
      observed === undefined ? "unobserved" : isProven ? "gone" : "unproven";
    return { draining: open, oldConnections, text: `${oldConnections} ${[...open].join(" ")}` };
  }
}

function refusingIn({ inbound }: ProxyPolicy): number[] {
  return inbound.filter(({ mode }) => mode === "strict").map(({ port }) => port);
}
