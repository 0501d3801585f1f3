/** What a simulated pod has to do of policy, one thing after the other: its Envoy takes it, its agent hears of it and tells it. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { SimAgent } from "../policy/agent.ts";
import type { Random } from "../run/random.ts";
import type { AgentConnections } from "./agent-connections.ts";
import type { PodEnvoy } from "./pod-envoy.ts";
import type { PodTalk } from "./pod-talk.ts";
import type { Timeline } from "./timeline.ts";

/** As they are now. */
export interface Worker {
  readonly agent: SimAgent;
  readonly envoy: PodEnvoy;
  readonly talk: PodTalk;
  readonly connections: AgentConnections;
  readonly isGone: boolean;
}

export class PodWork {
  readonly #pod: Worker;
  readonly #timeline: Timeline;
  readonly #random: Random;
  #isPoked = false;

  constructor(pod: Worker, { timeline, random }: { timeline: Timeline; random: Random }) {
    this.#pod = pod;
    this.#timeline = timeline;
    this.#random = random;
  }

  /** There may be something to do. */
  poke(): void {
    if (this.#isPoked || this.#steps().length === 0) return;
    this.#isPoked = true;
    this.#timeline.after(1 + this.#random.below(12), () => {
      this.#isPoked = false;
      const steps = this.#steps();
      steps[this.#random.below(Math.max(1, steps.length))]?.();
      this.poke();
    });
  }

  #steps(): (() => void)[] {
    const { agent, envoy, talk, isGone } = this.#pod;
    const steps: (() => void)[] = [];
    if (isGone || !agent.isAlive) return steps;
    if (envoy.isBusy) steps.push(() => envoy.step(this.#random.next()));
    if (envoy.replies.length > 0) steps.push(() => this.#hearEnvoy());
    if (talk.hasNews) steps.push(() => talk.say());
    return steps;
  }

  #hearEnvoy(): void {
    const { agent, envoy, connections } = this.#pod;
    const [reply] = envoy.replies;
    agent.hearEnvoy();
    if (reply?.isAck !== true) return;
    const ports = reply.policy.inbound.map(({ port }) => port);
    connections.acknowledged(new Set(ports), refusingIn(reply.policy));
  }
}

/** Ports that take no plaintext. */
export function refusingIn({ inbound }: ProxyPolicy): ReadonlySet<number> {
  return new Set(inbound.flatMap(({ port, mode }) => (mode === "strict" ? port : [])));
}
