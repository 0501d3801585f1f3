/**
 * What each proxy may be told now, from what it is to do and what all others may be doing: nobody sends what is not taken, in
 * whatever order answers come. There are no phases to lose: each answer is a function of the present, and DISABLE to STRICT passes
 * through PERMISSIVE because of it. What is not known is waited for, and is never a reason to step back.
 */

import type { ProxyPolicy } from "./proxy-policy.ts";
import { nextClusters } from "./rollout-client.ts";
import { eachLingering } from "./rollout-lingering.ts";
import {
  afterReport,
  afterTarget,
  unheard,
  type ProxyReport,
  type ProxyState,
  type ProxyTarget,
} from "./rollout-proxy.ts";
import { nextPorts } from "./rollout-server.ts";
import { isTold, stageOf, type NextPolicy, type RolloutStage } from "./rollout-stage.ts";
import { movedSockets, RolloutServers } from "./rollout-servers.ts";
import { LingeringTallies } from "./rollout-tallies.ts";
import { RolloutWaiters } from "./rollout-waiters.ts";
import { namesOfWaited, type HeldStep } from "./rollout-waiting.ts";

export interface PolicyPush {
  readonly key: string;
  readonly policy: ProxyPolicy;
}

/** How far a proxy is. */
export interface ProxyProgress {
  /** What it is to do now; undefined: it is told nothing. */
  readonly policy: ProxyPolicy | undefined;
  readonly stage: RolloutStage;
  readonly held: readonly HeldStep[];
}

export class Rollout {
  readonly #proxies = new Map<string, ProxyState>();
  readonly #servers = new RolloutServers((key) => this.#proxies.get(key));
  readonly #tallies = new LingeringTallies();
  readonly #waiters = new RolloutWaiters();
  /** Who may have to be told something else than it was. */
  readonly #dirty = new Set<string>();

  /** Until its first report it may be doing anything. */
  target(key: string, target: ProxyTarget): void {
    this.#change(key, afterTarget(this.#proxies.get(key) ?? unheard(key), target));
  }

  reported(key: string, report: ProxyReport): void {
    const before = this.#proxies.get(key);
    const next = afterReport(before ?? unheard(key), report);
    if (next !== before) this.#change(key, next);
  }

  /** It goes on with what it has, and may yet get what was sent. */
  disconnected(key: string): void {
    const state = this.#proxies.get(key);
    if (state === undefined) return;
    // It may begin anew where nobody can be asked.
    const applied = state.applied === "nothing" ? undefined : state.applied;
    this.#change(key, { ...state, isConnected: false, applied });
  }

  /** It is not there any more, and cannot come back: nobody waits for it. */
  remove(key: string): void {
    this.#change(key, undefined);
    this.#waiters.set(key, []);
    this.#dirty.delete(key);
  }

  /**
   * What is to be sent now; it counts as sent from here on.
   * @param max of pushes; the others come with the next call
   */
  takePushes(max: number): readonly PolicyPush[] {
    const pushes: PolicyPush[] = [];
    for (const key of this.#dirty) {
      if (pushes.length >= max) break;
      this.#dirty.delete(key);
      const state = this.#proxies.get(key);
      // What is on its way is answered first, or its stream ends; both make it dirty.
      if (state === undefined || !state.isConnected || state.sent !== undefined) continue;
      const { policy, heldSendings } = this.#next(state);
      this.#waiters.set(key, heldSendings);
      if (policy === undefined || isTold(state, policy)) continue;
      this.#change(key, { ...state, sent: policy });
      pushes.push({ key, policy });
    }
    return pushes;
  }

  stage(key: string): RolloutStage {
    const state = this.#proxies.get(key);
    return state === undefined ? "unknown" : stageOf(state, this.#next(state));
  }

  /** How far all of them are, by key, with the names of those whom they wait for: one pass over everybody. */
  progress(): ReadonlyMap<string, ProxyProgress> {
    const proxies = [...this.#proxies.values()].map((state) => ({ state, ...this.#next(state) }));
    const held = namesOfWaited(proxies, (socket, kind) => this.#servers.late(socket, kind));
    return new Map(
      proxies.map(({ state, ...next }) => {
        const { key } = state;
        return [
          key,
          { policy: next.policy, stage: stageOf(state, next), held: held.get(key) ?? [] },
        ];
      }),
    );
  }

  #next(state: ProxyState): NextPolicy {
    const { desired, applied, address, refused } = state;
    // Who has refused something without being sure answers nothing more, until it is told something else.
    const isWaiting = applied === undefined && refused === undefined;
    if (desired === undefined || isWaiting) return untold;
    const ports = nextPorts(state, desired, this.#tallies.of(address));
    const { clusters, held } = nextClusters(state, desired, this.#servers);
    const { inbound, modes } = ports;
    const isDesired = ports.held.length + held.length === 0;
    const policy = isDesired ? desired : { ...desired, inbound, modes, clusters };
    return { policy, heldPorts: ports.held, heldSendings: held };
  }

  #change(key: string, next: ProxyState | undefined): void {
    const before = this.#proxies.get(key);
    if (before !== undefined) this.#servers.remove(before);
    if (next === undefined) this.#proxies.delete(key);
    else this.#proxies.set(key, next);
    if (next !== undefined) this.#servers.add(next);
    // The new ones first: what was there and stays is no change.
    this.#tally(next, 1);
    this.#tally(before, -1);
    this.#wake(before, next);
    this.#dirty.add(key);
  }

  #tally(state: ProxyState | undefined, change: 1 | -1): void {
    if (state === undefined) return;
    eachLingering(state, (socket, kind, isKnown) => {
      if (!this.#tallies.change(socket, kind, isKnown, change)) return;
      for (const key of this.#servers.concerned(socket)) this.#dirty.add(key);
    });
  }

  /** Clients that wait for a server that has moved. */
  #wake(before: ProxyState | undefined, next: ProxyState | undefined): void {
    for (const { address, port } of movedSockets(before, next, this.#waiters)) {
      for (const key of this.#waiters.at(address, port)) this.#dirty.add(key);
    }
  }
}

const untold: NextPolicy = { policy: undefined, heldPorts: [], heldSendings: [] };
