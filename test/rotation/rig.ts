/** A server, agents and real Envoys as processes, and traffic between all of them until the verdict is asked for. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { totalTls } from "../../src/app/demo/mesh/member.ts";
import { meshId, nodeAgentId, type AgentPlan, type Mesh } from "../../src/app/demo/mesh/mesh.ts";
import { Operator } from "../../src/app/demo/mesh/operator.ts";
import { PairTraffic } from "../../src/app/demo/mesh/pair-traffic.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { Wire } from "../support/wire.ts";
import { openStage, trustDomain, type RigOptions, type Stage } from "./stage.ts";
import type { Verdict } from "./verdict.ts";

const requestTimeoutMs = 10_000;

/** 20 workloads: four at an agent of their own each, and four at each of four nodes. */
export const twenty: readonly AgentPlan[] = [
  ...["s1", "s2", "s3", "s4"].map((name) => ({ name })),
  ...["a", "b", "c", "d"].map((node) => ({
    name: `node-${node}`,
    members: [1, 2, 3, 4].map((number) => `${node}${number}`),
  })),
];

export class Rig implements AsyncDisposable {
  readonly server: ServerProcess;
  readonly mesh: Mesh;
  readonly traffic: PairTraffic;
  readonly operator: Operator;
  /** What agents have complained of, in order; the first ones. */
  readonly complaints: readonly string[];
  readonly #plans: readonly AgentPlan[];
  readonly #wires: ReadonlyMap<string, Wire>;
  readonly #owned: AsyncDisposableStack;
  readonly #ends = new AbortController();
  readonly #running: Promise<void>;

  private constructor(
    stage: Stage,
    { agents, ratePerSecond }: RigOptions,
    owned: AsyncDisposableStack,
  ) {
    this.server = stage.server;
    this.mesh = stage.mesh;
    this.complaints = stage.complaints;
    this.operator = new Operator(stage.server.admin, "test");
    this.#plans = agents;
    this.#wires = stage.wires;
    this.#owned = owned;
    this.traffic = new PairTraffic({
      members: stage.mesh.members,
      ratePerSecond,
      timeoutMs: requestTimeoutMs,
      nowMs: Date.now,
      random: Math.random,
    });
    this.#running = this.traffic.run(this.#ends.signal);
  }

  /** Resolves when every Envoy serves; the traffic has begun. */
  static async open(options: RigOptions): Promise<Rig> {
    await using owned = new AsyncDisposableStack();
    const stage = await openStage(options, owned);
    return new Rig(stage, options, owned.move());
  }

  wire(agent: string): Wire {
    const wire = this.#wires.get(agent);
    assert(wire !== undefined, `${agent} has no wire`);
    return wire;
  }

  /** Identities of the workloads that an agent serves. */
  workloadsOf(agent: string): readonly string[] {
    return this.#membersOf(agent).map((name) => meshId(trustDomain, name).toString());
  }

  /** Everybody whose evidence an agent brings. */
  identitiesOf(agent: string): readonly string[] {
    return [...this.workloadsOf(agent), nodeAgentId(trustDomain).toString()];
  }

  #membersOf(agent: string): readonly string[] {
    const plan = this.#plans.find(({ name }) => name === agent);
    return plan?.members ?? [agent];
  }

  /** Waits until all have been seen with a certificate of this root, by the order in which roots were first seen. */
  async untilAllHold(generation: number, timeoutMs = 60_000): Promise<void> {
    const { coverage } = this.traffic;
    for (const endMs = performance.now() + timeoutMs; ; await sleep(50)) {
      if (coverage.holders[generation] === this.mesh.members.size) return;
      const held = JSON.stringify(coverage.holders);
      assert(performance.now() < endMs, `expected all to hold root ${generation}, got ${held}`);
    }
  }

  /** Waits until nobody's renewal is overdue: so long may the server be away. */
  async untilAllHaveLeft(leftMs: number): Promise<void> {
    const members = [...this.mesh.members.values()];
    for (const endMs = performance.now() + 30_000; ; await sleep(50)) {
      const ends = await Promise.all(members.map((member) => member.notAfterMs()));
      if (Math.min(...ends) - Date.now() >= leftMs) return;
      assert(performance.now() < endMs, "expected all to renew in time");
    }
  }

  /** Ends the traffic. @returns what both sides of all handshakes have counted */
  async verdict(): Promise<Verdict> {
    this.#ends.abort();
    await this.#running;
    // The callee's side of a handshake may end a little after the answer.
    await sleep(200);
    const counted = await Promise.all(
      [...this.mesh.members.values()].map((member) => member.tls()),
    );
    const { sent, failed, failures, slowestMs, coverage } = this.traffic;
    const { seen } = coverage;
    const { complaints } = this;
    const tls = totalTls(counted);
    return { sent, failed, failures, slowestMs, seen, tls, complaints };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort();
    await this.#running;
    await this.#owned.disposeAsync();
  }
}
