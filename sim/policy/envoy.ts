/** A simulated Envoy: it takes a policy part by part, and may refuse it in the middle, with what came before in force. */

import type {
  InboundPort,
  OutboundCluster,
  ProxyPolicy,
} from "../../src/core/policy/proxy-policy.ts";
import { modeOf } from "../../src/core/policy/port-modes.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";

export interface EnvoyReply {
  readonly policy: ProxyPolicy;
  readonly isAck: boolean;
}

export class SimEnvoy {
  readonly #hasListeners: boolean;
  #clusters = new Map<string, OutboundCluster>();
  #ports = new Map<number, Pick<InboundPort, "bind" | "mode">>();
  #modes: ProxyPolicy["modes"] | undefined;
  #given: ProxyPolicy[] = [];
  #parts: (() => void)[] = [];
  replies: EnvoyReply[] = [];
  isFrozen = false;
  /** It refuses the next policy at some part. */
  refusesNext = false;

  constructor(hasListeners: boolean) {
    this.#hasListeners = hasListeners;
  }

  give(policy: ProxyPolicy): void {
    this.#given.push(policy);
    if (this.#given.length === 1) this.#parts = this.#partsOf(policy);
  }

  get isBusy(): boolean {
    return this.#given.length > 0 && !this.isFrozen;
  }

  /** @param chance of the part at which it refuses */
  step(chance: number): void {
    const [policy] = this.#given;
    if (policy === undefined || this.isFrozen) return;
    const isRefused = this.refusesNext && chance % 3 === 0;
    const part = isRefused ? undefined : this.#parts.shift();
    if (part !== undefined) return part();
    if (isRefused) this.refusesNext = false;
    this.replies.push({ policy, isAck: !isRefused });
    this.#given.shift();
    const [next] = this.#given;
    if (next !== undefined) this.#parts = this.#partsOf(next);
  }

  /** Its stream to the agent has ended: what was not applied is forgotten, and what is in force stays. */
  disconnect(): void {
    this.#given = [];
    this.#parts = [];
    this.replies = [];
  }

  restart(): void {
    this.disconnect();
    this.#clusters = new Map();
    this.#ports = new Map();
    this.#modes = undefined;
    this.isFrozen = false;
  }

  /** What is in force at a socket; undefined where nobody listens. */
  modeAt(address: string, port: number): ServerMode | undefined {
    const listener = this.#ports.get(port);
    if (this.#hasListeners) return listener?.bind === address ? listener.mode : undefined;
    return this.#modes && modeOf(this.#modes, port);
  }

  /** In force. */
  get clusters(): Iterable<OutboundCluster> {
    return this.#clusters.values();
  }

  #partsOf({ clusters, inbound, modes }: ProxyPolicy): (() => void)[] {
    const names = new Set(clusters.map(({ name }) => name));
    const listens = new Set(inbound.map(({ port }) => port));
    return [
      ...clusters.map((each) => () => void this.#clusters.set(each.name, each)),
      ...inbound.map(
        ({ port, bind, mode }) =>
          () =>
            void this.#ports.set(port, { bind, mode }),
      ),
      () => {
        for (const port of this.#ports.keys()) if (!listens.has(port)) this.#ports.delete(port);
        this.#modes = modes;
      },
      () => {
        for (const name of this.#clusters.keys()) if (!names.has(name)) this.#clusters.delete(name);
      },
    ];
  }
}
