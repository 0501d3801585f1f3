/** Everything there is in a schedule, made from its seed: the clock, the network, the server, agents with their Envoys, stock clients. */

import { ownerOf, type RollEntry } from "../../src/core/roll/roll-entry.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { initialTrustState, unconfirmedRetired } from "../../src/core/trust/trust-state.ts";
import type { Coverage, Fault, Step } from "../run/coverage.ts";
import type { Random } from "../run/random.ts";
import { crash } from "../server/crash.ts";
import { Server } from "../server/server.ts";
import type { Agent } from "./agent.ts";
import { eagerOperator } from "./eager-operator.ts";
import type { Envoy } from "./envoy.ts";
import { Exceptions } from "./exceptions.ts";
import { partiesOf } from "./parties.ts";
import { peopleOf } from "./people.ts";
import { Task, type Worker } from "./pipe.ts";
import type { Stock } from "./stock.ts";
import { newAuthority, rootNames, rootsMax } from "./symbols.ts";
import { Watch, type Party } from "./watch.ts";

const trustDomain = TrustDomain.parse("mesh");
/** Steps after which about everybody has what there is. */
const warmUp = 400;
const startMs = 1_000_000_000;

export class World {
  readonly trustDomain: TrustDomain = trustDomain;
  readonly random: Random;
  readonly coverage: Coverage;
  readonly lifeMs = 600_000;
  readonly exceptions: Exceptions = new Exceptions();
  readonly watch: Watch;
  readonly server: Server;
  readonly agents: readonly Agent[];
  readonly stocks: readonly Stock[];
  nowMs: number = startMs;
  events = 0;
  /** Told what happens, when a schedule is replayed for people. */
  say: ((text: string) => void) | undefined;
  /** The newest authority of this world. */
  newest = 0;
  readonly #parties: readonly Party[];
  readonly #workers: readonly Worker[];

  constructor(random: Random, coverage: Coverage) {
    this.random = random;
    this.coverage = coverage;
    const authority = newAuthority(0, "store");
    this.server = new Server(this, initialTrustState({ trustDomain, authority, nowMs: startMs }));
    this.watch = new Watch(this, this.exceptions);
    const { agents, stocks, workers } = peopleOf(this);
    this.agents = agents;
    this.stocks = stocks;
    this.#parties = partiesOf(this);
    this.#workers = [...workers, ...this.#serverWorkers()];
    this.server.start();
    for (const { workloads } of agents) {
      for (const { envoys } of workloads) for (const envoy of envoys) envoy.start();
    }
    this.flow(warmUp);
    this.events = 0;
  }

  parties(): readonly Party[] {
    return this.#parties;
  }

  /** In [0, 1). */
  chance(): number {
    return this.random.next() / 2 ** 32;
  }

  get hasRoots(): boolean {
    return this.newest + 2 < rootsMax;
  }

  get step(): Step {
    const { trust, rotation } = this.server;
    if (rotation.isBetween) return "between";
    if (rotation.isBusy) return "ordered";
    const [, other] = trust.authorities;
    if (trust.authorities.some(({ state }) => state === "retiring")) return "retiring";
    const prepared = trust.authorities.find(({ state }) => state === "prepared");
    if (other !== undefined && prepared !== undefined) {
      return this.watch.hasSigned(prepared.id) ? "rolled-back" : "prepared";
    }
    return unconfirmedRetired(trust).length > 0 ? "confirming" : "stable";
  }

  struck(fault: Fault, whom: string): void {
    this.coverage.struck(this.step, fault);
    this.say?.(`${fault} ${whom}`);
  }

  /** Whether anything waits to be delivered or done. */
  get isBusy(): boolean {
    return this.#workers.some(({ isReady }) => isReady);
  }

  /** So many things that were waiting happen, in an order by chance. */
  flow(count: number): void {
    const workers = this.#workers;
    for (let left = count; left > 0; left--) {
      let index = this.random.below(workers.length);
      let looked = 0;
      while (looked < workers.length && workers[index]?.isReady !== true) {
        looked++;
        index = index + 1 === workers.length ? 0 : index + 1;
      }
      const worker = workers[index];
      if (looked === workers.length || worker === undefined) return;
      this.happen(() => worker.step());
    }
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.say?.(`${Math.round(ms / 1_000)} s pass`);
    this.happen(() => {
      this.server.tick();
      for (const agent of this.agents) agent.tick();
      for (const { client } of this.stocks) client.giveUp(this.nowMs);
    });
  }

  /** One event, and what must hold after it. @throws Violation, and whatever is a fault of the code that is tested */
  happen(event: () => void): void {
    this.events++;
    this.#guarded(event);
    this.watch.check();
  }

  /** A gate cannot wait for an Envoy of which nothing, or half, is known: a gap that docs/simulator.md tells of. */
  exceptForgotten(required: number): void {
    const entries = this.server.roll.entries();
    for (const { envoy, identity } of this.envoys()) {
      if (!isForgotten(envoy, identity, entries)) continue;
      if (envoy.trusts(required)) continue;
      envoy.isForgotten = true;
      this.exceptions.forgotten++;
    }
  }

  /** What its Envoys hold was lost with its memory, and they go back to what it has: a gap, too. */
  exceptDisk({ workloads }: Agent): void {
    this.exceptions.disks++;
    for (const { envoys } of workloads) for (const envoy of envoys) envoy.isForgotten = true;
  }

  *envoys(): Generator<{ readonly envoy: Envoy; readonly identity: string }> {
    for (const { workloads } of this.agents) {
      for (const { envoys, identity } of workloads) {
        for (const envoy of envoys) yield { envoy, identity };
      }
    }
  }

  /** Of the schedule, for the count. */
  end(): void {
    if (this.exceptions.roots !== 0) this.coverage.excepted("a root was compromised");
    if (this.exceptions.forgotten > 0) this.coverage.excepted("an Envoy was forgotten");
    if (this.exceptions.disks > 0) this.coverage.excepted("a disk was full");
    if (this.exceptions.waived > 0) this.coverage.excepted("somebody was waived");
  }

  killServer(): void {
    this.server.kill();
    for (const { workloads } of this.agents) for (const { client } of workloads) client.drop();
    for (const { client } of this.stocks) client.drop();
  }

  #guarded(event: () => void): void {
    try {
      event();
    } catch (error) {
      if (error !== crash) throw error;
      this.struck("server-killed", "at a durable write");
      this.killServer();
    }
  }

  #serverWorkers(): Worker[] {
    const { server } = this;
    const start = new Task(
      () => !server.isUp,
      () => {
        server.start();
        this.say?.(`the server starts with roots ${rootNames(server.bundleMask)}`);
      },
    );
    const { sessions, issuance, leaves, rotation } = server;
    const eager = eagerOperator(this, this.random.below(2) === 0);
    const own = new Task(
      () => server.ownIsDue,
      () => server.renewOwn(),
    );
    return [sessions.notice, issuance, issuance, leaves, rotation, rotation, own, eager, start];
  }
}

/** The roll has no entry, or one that lacks a context, or the certificate that it holds. */
function isForgotten(envoy: Envoy, identity: string, entries: readonly RollEntry[]): boolean {
  const entry = entries.find((each) => {
    return each.evidence.proxyId === envoy.node.id && ownerOf(each) === identity;
  });
  const { subscriptions = [] } = entry?.evidence ?? {};
  const names = new Set(subscriptions.map(({ resourceName }) => resourceName));
  const serials = new Set(subscriptions.map(({ acked }) => acked?.certificate?.serialHex));
  const isKnown = entry?.connected === true || serials.has(envoy.leaf?.serial);
  return !isKnown || ![...envoy.trusted.keys()].every((name) => names.has(name));
}
