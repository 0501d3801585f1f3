/** Everything there is in a schedule, made from its seed: the clock, the network, the server, agents with their Envoys, stock clients. */

import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { initialTrustState } from "../../src/core/trust/trust-state.ts";
import type { Coverage, Fault } from "../run/coverage.ts";
import type { Random } from "../run/random.ts";
import { crash } from "../server/crash.ts";
import { Server } from "../server/server.ts";
import { serverWorkers } from "../server/workers.ts";
import type { Agent } from "./agent.ts";
import type { Envoy } from "./envoy.ts";
import { Exceptions } from "./exceptions.ts";
import { partiesOf } from "./parties.ts";
import { peopleOf } from "./people.ts";
import type { Worker } from "./pipe.ts";
import { stepOf } from "./step.ts";
import type { Stock } from "./stock.ts";
import { newAuthority, rootsMax } from "./symbols.ts";
import { Watch, type Party } from "./watch.ts";

const trustDomain = TrustDomain.parse("mesh");
/** Steps after which about everybody has what there is. */
const warmUp = 400;
const startMs = 1_000_000_000;

export interface Placed {
  readonly envoy: Envoy;
  readonly identity: string;
  readonly agent: Agent;
}

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
    this.#workers = [...workers, ...serverWorkers(this)];
    this.server.start();
    for (const { envoy } of this.envoys()) envoy.start();
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

  /** Of the first root, and of each third one, soon after the beginning; of the others never. */
  endsAtMs(root: Uint8Array): number {
    const [index = 0] = root;
    const isShort = index === 0 || index % 3 === 2;
    return isShort ? startMs + 3 * this.lifeMs : Number.POSITIVE_INFINITY;
  }

  struck(fault: Fault, whom: string): void {
    this.coverage.struck(stepOf(this), fault);
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
      for (const { client, identity } of this.stocks) {
        if (client.giveUp(this.nowMs)) this.struck("call-lost", identity);
      }
    });
  }

  /** One event, and what must hold after it. @throws Violation, and whatever is a fault of the code that is tested */
  happen(event: () => void): void {
    this.events++;
    this.#guarded(event);
    this.watch.check();
  }

  *envoys(): Generator<Placed> {
    for (const agent of this.agents) {
      for (const { envoys, identity } of agent.workloads) {
        for (const envoy of envoys) yield { envoy, identity, agent };
      }
    }
  }

  /** Of the schedule, for the count. */
  end(): void {
    if (this.exceptions.roots !== 0) this.coverage.excepted("a root was compromised");
    if (this.exceptions.forgotten > 0) this.coverage.excepted("an Envoy was forgotten");
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
}
