/** A simulated mesh under policy: Envoys, their agents, a server that may be killed, and a network that cuts. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { Random } from "../run/random.ts";
import { Violation } from "../world/violation.ts";
import { SimAgent } from "./agent.ts";
import { MeshConfig, type ProxyConfig } from "./config.ts";
import { SimEnvoy } from "./envoy.ts";
import { SimServer } from "./server.ts";
import { SimStream } from "./stream.ts";
import { PolicyWatch } from "./watch.ts";

const settleStepsMax = 4_000;

export class PolicyWorld {
  readonly random: Random;
  readonly config: MeshConfig;
  readonly agents: readonly SimAgent[];
  readonly watch: PolicyWatch;
  server: SimServer | undefined;
  /** Gone for good. */
  readonly gone: Set<string> = new Set();
  events = 0;
  say: (text: string) => void = () => {};

  constructor(random: Random) {
    this.random = random;
    this.config = new MeshConfig(random);
    this.agents = this.config.proxies.map(
      ({ key, hasListeners }) => new SimAgent(key, new SimEnvoy(hasListeners), hasListeners),
    );
    this.watch = new PolicyWatch(this);
    this.startServer();
  }

  get there(): readonly ProxyConfig[] {
    return this.config.proxies.filter(({ key }) => !this.gone.has(key));
  }

  agent(key: string): SimAgent | undefined {
    return this.agents.find((each) => each.key === key);
  }

  configure(): void {
    this.watch.configured();
    for (const proxy of this.there) this.server?.configure(proxy);
  }

  startServer(): void {
    this.server = new SimServer(this.config, this.there);
  }

  killServer(): void {
    for (const stream of this.server?.streams ?? []) this.cut(stream);
    this.server = undefined;
  }

  cut(stream: SimStream): void {
    stream.isCut = true;
    stream.down.length = 0;
    const agent = this.agent(stream.key);
    if (agent?.stream === stream) agent.stream = undefined;
  }

  connect(agent: SimAgent): boolean {
    const { server } = this;
    if (server === undefined || agent.stream !== undefined || !agent.isAlive) return false;
    if (this.gone.has(agent.key)) return false;
    const stream = new SimStream(agent.key);
    agent.connect(stream);
    server.accept(stream);
    return true;
  }

  /** @returns whether anything was left to do */
  step(): boolean {
    const steps = this.#steps();
    const step = steps[this.random.below(Math.max(1, steps.length))];
    if (step === undefined) return this.#push();
    step();
    this.events++;
    this.watch.check();
    // The server sends in the turn in which it has read; now and then it is late.
    if (this.random.below(3) > 0) this.#push();
    return true;
  }

  /** All are well again and answer: everybody ends at what it is to do. */
  settle(): void {
    if (this.server === undefined) this.startServer();
    for (const agent of this.agents) this.#heal(agent);
    let left = settleStepsMax;
    while (this.step()) if (left-- === 0) throw new Violation("it does not come to rest");
    this.watch.settled();
  }

  #heal(agent: SimAgent): void {
    if (this.gone.has(agent.key)) {
      this.server?.remove(agent.key);
      return;
    }
    agent.envoy.isFrozen = false;
    agent.envoy.refusesNext = false;
    if (agent.hasRefused || agent.envoy.replies.some(({ isAck }) => !isAck)) agent.kill();
    if (!agent.isAlive) {
      if (agent.stream !== undefined) this.cut(agent.stream);
      agent.start(false);
    }
    this.connect(agent);
  }

  #push(): boolean {
    const pushes = this.server?.push(1 + this.random.below(3)) ?? [];
    for (const { key, policy } of pushes) {
      this.events++;
      this.watch.pushed(key, policy);
      this.say(`${key} is sent ${describe(policy)}`);
    }
    return pushes.length > 0;
  }

  #steps(): (() => void)[] {
    const { server } = this;
    const steps: (() => void)[] = [];
    for (const stream of server?.streams ?? []) {
      if (stream.isCut || stream.up.length > 0) steps.push(() => server?.read(stream));
    }
    for (const agent of this.agents) {
      const { envoy, stream, isAlive } = agent;
      if (!isAlive) continue;
      const down = stream?.down[0];
      if (down !== undefined) steps.push(() => agent.receive(stream?.down.shift() ?? down));
      if (envoy.replies.length > 0) steps.push(() => agent.hearEnvoy());
      if (agent.hasNews) steps.push(() => agent.report());
      if (envoy.isBusy) steps.push(() => envoy.step(this.random.next()));
    }
    return steps;
  }
}

function describe({ inbound, clusters }: ProxyPolicy): string {
  const ports = inbound.map(({ port, mode }) => `${port} ${mode}`);
  const sends = clusters.flatMap(({ name, endpoints }) =>
    endpoints.map(({ address, port, sends }) => `${sends} to ${address}:${port} (${name})`),
  );
  return [...ports, ...sends].join(", ");
}
