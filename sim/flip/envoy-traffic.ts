/**
 * Connections to the inbound ports of a simulated Envoy: which chain takes each, what its access log tells of it, and what is counted. As
 * Envoy was seen to do it: a chain's counters go with it when its last connection has ended, and its connections end when it is gone.
 */

import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import { inboundChains } from "../../src/core/envoy/inbound-chains.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { Random } from "../run/random.ts";
import { beginEntry, endEntry, refusedEntry, type Logged } from "./access-entry.ts";
import type { Call, CallOutcome } from "./call.ts";
import { chainFor } from "./chain-for.ts";
import { EnvoyCounters } from "./envoy-counters.ts";
import type { Timeline } from "./timeline.ts";

export interface EnvoySide {
  readonly timeline: Timeline;
  readonly random: Random;
  /** By the clock of its host. */
  readonly hostMs: () => number;
  /** In force at a port; undefined where nobody listens. */
  readonly modeAt: (port: number) => ServerMode | undefined;
  readonly protocolOf: (port: number) => InboundProtocol;
  readonly tell: (entry: AccessLogEntry) => void;
}

interface Connection extends Logged {
  readonly call: Call;
  readonly onEnd: () => void;
}

const drainsMsMax = [3_000, 3_000, 3_000, 30_000];
const failsAfterMs = 5;

export class EnvoyTraffic {
  readonly #side: EnvoySide;
  readonly #open = new Map<number, Connection>();
  readonly #counters = new EnvoyCounters();
  /** By port: names of the chains that were in force. */
  #chains = new Map<number, ReadonlySet<string>>();
  #startedMs: number;
  #nextId = 1;
  #life = 0;

  constructor(side: EnvoySide) {
    this.#side = side;
    this.#startedMs = side.hostMs();
  }

  get open(): Iterable<Pick<Connection, "call" | "chain">> {
    return this.#open.values();
  }

  /** @param onEnd when it is over, however that comes @returns undefined where nobody listens */
  connect(call: Call, onEnd: () => void): CallOutcome | undefined {
    const { modeAt, protocolOf, hostMs, tell } = this.#side;
    const mode = modeAt(call.port);
    if (mode === undefined) return undefined;
    const id = this.#nextId++;
    const chain = chainFor(inboundChains(mode, protocolOf(call.port)), call);
    if (chain === undefined) {
      this.#counters.refused(call.port);
      tell(refusedEntry(call, hostMs()));
      onEnd();
      return "refused";
    }
    const isProven = chain.endsTls && call.kind === "mtls" && call.isGood;
    const isTaken = isProven || !chain.endsTls;
    const connection = { id, call, chain, isProven, beganMs: hostMs(), onEnd };
    this.#open.set(id, connection);
    this.#counters.begun(call.port, chain);
    if (!chain.endsTls) this.#tellBegin(connection);
    this.#inLife(isTaken ? call.lastsMs : failsAfterMs, () => this.#end(id));
    return isTaken ? "taken" : "failed";
  }

  /** What is in force may have changed: connections of chains that are gone end soon. */
  policyChanged(ports: readonly number[]): void {
    const { modeAt, protocolOf, random } = this.#side;
    for (const port of ports) {
      const mode = modeAt(port);
      const chains = mode === undefined ? [] : inboundChains(mode, protocolOf(port));
      const names = new Set<string>(chains.map(({ name }) => name));
      const before = this.#chains.get(port) ?? [];
      this.#chains.set(port, names);
      for (const name of before) {
        if (names.has(name)) continue;
        const mostMs = drainsMsMax[random.below(drainsMsMax.length)] ?? 0;
        this.#inLife(random.below(mostMs), () => {
          if (this.#chains.get(port)?.has(name) === false) this.#drain(port, name);
        });
      }
    }
  }

  stats(): Map<string, number> {
    return this.#counters.all(Math.floor((this.#side.hostMs() - this.#startedMs) / 1_000));
  }

  /** SIGTERM: all connections end, and it tells so. */
  terminate(): void {
    for (const id of this.#open.keys()) this.#end(id);
  }

  restart(): void {
    this.#life += 1;
    for (const { onEnd } of this.#open.values()) onEnd();
    this.#open.clear();
    this.#counters.restart();
    this.#chains = new Map();
    this.#startedMs = this.#side.hostMs();
    this.#nextId = 1;
  }

  #drain(port: number, chain: string): void {
    for (const [id, { call, chain: its }] of this.#open) {
      if (call.port === port && its.name === chain) this.#end(id);
    }
    this.#counters.drained(port, chain);
  }

  #end(id: number): void {
    const connection = this.#open.get(id);
    if (connection === undefined) return;
    this.#open.delete(id);
    const { call, chain, onEnd } = connection;
    const { hostMs, tell } = this.#side;
    this.#counters.ended(call.port, chain);
    tell(endEntry(call, connection, hostMs()));
    onEnd();
  }

  /** TCP is told of at once, and HTTP with its first request. */
  #tellBegin(connection: Connection): void {
    const { random, tell } = this.#side;
    const { id, call, chain } = connection;
    this.#inLife(random.below(chain.filter === "http" ? 60 : 12), () => {
      if (this.#open.has(id)) tell(beginEntry(call, connection));
    });
  }

  /** What was to happen to an older life happens to nobody. */
  #inLife(ms: number, happen: () => void): void {
    const life = this.#life;
    this.#side.timeline.after(ms, () => {
      if (this.#life === life) happen();
    });
  }
}
