/**
 * Connections to the inbound ports of a simulated Envoy: which chain takes each, what its access log tells of it, and what is counted. As
 * Envoy was seen to do it: a chain's counters go with it when its last connection has ended, and its connections end when it is gone.
 */

import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import { chainStatPrefix, inboundName } from "../../src/core/envoy/chain-stats.ts";
import { inboundChains, type InboundChain } from "../../src/core/envoy/inbound-chains.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { Random } from "../run/random.ts";
import type { Timeline } from "./timeline.ts";

export interface Call {
  readonly kind: "plaintext" | "tls" | "mtls";
  readonly address: string;
  readonly port: number;
  readonly isHttp: boolean;
  /** Of a client of the mesh; "" for none. */
  readonly peerUri: string;
  /** Its certificate is good. */
  readonly isGood: boolean;
  readonly lastsMs: number;
  readonly claim: string;
}

/** `failed`: its handshake; a chain was for it. */
export type CallOutcome = "taken" | "refused" | "failed";

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

interface Connection {
  readonly id: number;
  readonly call: Call;
  readonly chain: InboundChain;
  readonly isProven: boolean;
  readonly beganMs: number;
  readonly onEnd: () => void;
}

const drainMsMax = 3_000;

export class EnvoyTraffic {
  readonly #side: EnvoySide;
  readonly #open = new Map<number, Connection>();
  #stats = new Map<string, number>();
  /** By port: names of the chains that were in force. */
  #chains = new Map<number, ReadonlySet<string>>();
  #startedMs: number;
  #nextId = 1;
  /** So that what was to happen to an older life happens to nobody. */
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
    const { modeAt, protocolOf, timeline, hostMs } = this.#side;
    const mode = modeAt(call.port);
    if (mode === undefined) return undefined;
    const id = this.#nextId++;
    const chain = chainFor(inboundChains(mode, protocolOf(call.port)), call);
    if (chain === undefined) {
      this.#count(`listener.${inboundName(call.port)}.no_filter_chain_match`);
      this.#tell(call, { isEnd: true, id: "0", chain: "", beganMs: hostMs(), hasNoRoute: true });
      onEnd();
      return "refused";
    }
    const isProven = chain.endsTls && call.kind === "mtls" && call.isGood;
    const isTaken = isProven || !chain.endsTls;
    const connection = { id, call, chain, isProven, beganMs: hostMs(), onEnd };
    this.#open.set(id, connection);
    this.#begun(connection, 1);
    const life = this.#life;
    if (!chain.endsTls) this.#tellBegin(connection, life);
    const end = (): void => {
      if (this.#life === life) this.#end(id);
    };
    timeline.after(isTaken ? call.lastsMs : 5, end);
    return isTaken ? "taken" : "failed";
  }

  /** What is in force may have changed: connections of chains that are gone end soon. */
  policyChanged(ports: readonly number[]): void {
    const { modeAt, protocolOf, timeline, random } = this.#side;
    for (const port of ports) {
      const mode = modeAt(port);
      const chains = mode === undefined ? [] : inboundChains(mode, protocolOf(port));
      const names = new Set<string>(chains.map(({ name }) => name));
      const before = this.#chains.get(port);
      this.#chains.set(port, names);
      const life = this.#life;
      for (const name of before ?? []) {
        if (names.has(name)) continue;
        timeline.after(random.below(drainMsMax), () => {
          if (this.#life === life && this.#chains.get(port)?.has(name) === false)
            this.#drain(port, name);
        });
      }
    }
  }

  /** Its counters, as a flush has them. */
  stats(): Map<string, number> {
    const uptime = Math.floor((this.#side.hostMs() - this.#startedMs) / 1_000);
    return new Map([
      ...this.#stats,
      ["server.uptime", uptime],
      ["listener_manager.listener_removed", 0],
      ["listener_manager.total_listeners_warming", 0],
    ]);
  }

  /** SIGTERM: all connections end, and it tells so. */
  terminate(): void {
    for (const id of this.#open.keys()) this.#end(id);
  }

  /** A new life. */
  restart(): void {
    this.#life += 1;
    for (const { onEnd } of this.#open.values()) onEnd();
    this.#open.clear();
    this.#stats = new Map();
    this.#chains = new Map();
    this.#startedMs = this.#side.hostMs();
    this.#nextId = 1;
  }

  #drain(port: number, chain: string): void {
    for (const [id, { call, chain: its }] of this.#open) {
      if (call.port === port && its.name === chain) this.#end(id);
    }
    const prefix = chainStatPrefix(port, chain);
    for (const name of this.#stats.keys())
      if (name.includes(`.${prefix}.`)) this.#stats.delete(name);
  }

  #end(id: number): void {
    const connection = this.#open.get(id);
    if (connection === undefined) return;
    this.#open.delete(id);
    const { call, chain, isProven, beganMs, onEnd } = connection;
    this.#begun(connection, -1);
    this.#count(`listener.${inboundName(call.port)}.downstream_cx_destroy`);
    const isRefused = chain.endsTls && !isProven;
    this.#tell(call, {
      isEnd: true,
      id: String(id),
      chain: chain.name,
      beganMs,
      hasProven: isProven,
      hasTlsError: isRefused,
      peerUri: chain.endsTls ? call.peerUri : "",
    });
    onEnd();
  }

  /** TCP is told of at once, and HTTP with its first request. */
  #tellBegin({ id, call, chain, beganMs }: Connection, life: number): void {
    const { timeline, random } = this.#side;
    timeline.after(chain.filter === "http" ? random.below(60) : random.below(12), () => {
      if (this.#life !== life || !this.#open.has(id)) return;
      this.#tell(call, { isEnd: false, id: String(id), chain: chain.name, beganMs });
    });
  }

  /** As Envoy's filters count: TCP those that begin and those that are open, HTTP those that end, too. */
  #begun({ call, chain: { name, filter } }: Connection, change: 1 | -1): void {
    const prefix = chainStatPrefix(call.port, name);
    if (filter === "http") {
      this.#count(`http.${prefix}.downstream_cx_active`, change);
      if (change < 0) this.#count(`http.${prefix}.downstream_cx_destroy`);
      return;
    }
    this.#count(`connection_limit.${prefix}.active_connections`, change);
    if (change > 0) this.#count(`tcp.${prefix}.downstream_cx_total`);
  }

  #count(name: string, change = 1): void {
    this.#stats.set(name, (this.#stats.get(name) ?? 0) + change);
  }

  #tell(call: Call, told: Partial<AccessLogEntry> & Pick<AccessLogEntry, "beganMs">): void {
    const { port, address, kind, claim } = call;
    const lastedMs = told.isEnd === false ? 0 : Math.max(0, this.#side.hostMs() - told.beganMs);
    this.#side.tell({
      isEnd: true,
      port,
      address,
      lastedMs,
      chain: "",
      id: "",
      hasProven: false,
      hasNoRoute: false,
      hasTlsError: kind === "plaintext",
      hasServerName: kind === "tls",
      peerUri: "",
      userAgent: claim,
      ...told,
    });
  }
}

/** The first that takes it, as Envoy matches them: transport, and what the client offers. */
function chainFor(
  chains: readonly InboundChain[],
  { kind, isHttp }: Call,
): InboundChain | undefined {
  const transport = kind === "plaintext" ? "raw_buffer" : "tls";
  const fitting = chains.filter((each) => each.transport === transport);
  const ofMesh = (each: InboundChain): boolean =>
    each.alpn.some((offered) => offered === (isHttp ? "istio-http/1.1" : "istio"));
  const named =
    kind === "mtls"
      ? fitting.find((each) => each.endsTls && ofMesh(each))
      : fitting.find((each) => isHttp && kind === "plaintext" && each.alpn.includes("http/1.1"));
  return named ?? fitting.find(({ alpn }) => alpn.length === 0);
}
