/** Who serves a socket, and what is surely taken there. */

import { both, type Kind, type Kinds } from "./rollout-kinds.ts";
import type { ServerView } from "./rollout-client.ts";
import {
  listenedPorts,
  movedFrom,
  surelyTaken,
  takenAtLast,
  takenIfListening,
} from "./rollout-listening.ts";
import type { ProxyState } from "./rollout-proxy.ts";
import { SocketMap, type Socket } from "./rollout-sockets.ts";

type Keys = ReadonlySet<string>;

export class RolloutServers implements ServerView {
  readonly #state: (key: string) => ProxyState | undefined;
  readonly #listening = new SocketMap<Set<string>>();
  /** By address: those whose listeners we do not know. */
  readonly #asking = new Map<string, Set<string>>();

  constructor(state: (key: string) => ProxyState | undefined) {
    this.#state = state;
  }

  add(state: ProxyState): void {
    const { key, address, hasListeners } = state;
    if (address === undefined) return;
    if (hasListeners !== true) {
      this.#asking.set(address, (this.#asking.get(address) ?? new Set()).add(key));
    }
    if (hasListeners === false) return;
    for (const port of listenedPorts(state)) {
      const keys = this.#listening.get(address, port) ?? new Set();
      this.#listening.set(address, port, keys.add(key));
    }
  }

  /** @param state as it was when it was added */
  remove(state: ProxyState): void {
    const { key, address, hasListeners } = state;
    if (address === undefined) return;
    if (hasListeners !== true) {
      const keys = this.#asking.get(address);
      if (keys?.delete(key) && keys.size === 0) this.#asking.delete(address);
    }
    if (hasListeners === false) return;
    for (const port of listenedPorts(state)) {
      const keys = this.#listening.get(address, port);
      if (keys?.delete(key) && keys.size === 0) this.#listening.delete(address, port);
    }
  }

  /** Whose modes may hang on what is sent there. */
  *concerned({ address, port }: Socket): Generator<string> {
    yield* this.#listening.get(address, port) ?? nobody;
    yield* this.#asking.get(address) ?? nobody;
  }

  isReady(socket: Socket, kind: Kind): boolean {
    return this.#lateStates(socket, kind).length === 0;
  }

  surelyTaken(socket: Socket): Kinds {
    const states = this.#statesAt(socket);
    if (states.every((state) => surelyTaken(state, socket.port) === 0)) return 0;
    const taken = states.map((state) => takenIfListening(state, socket.port));
    return taken.reduce<Kinds>((all, each) => (all & each) as Kinds, both);
  }

  movedFrom(socket: Socket): string | undefined {
    const states = this.#statesOfNone(socket);
    const addresses = states.map((state) => movedFrom(state, socket.port));
    return addresses.find((address) => address !== undefined);
  }

  isUnheard(socket: Socket): boolean {
    return this.#statesOfNone(socket).some(({ applied }) => applied === undefined);
  }

  /** Those that are waited for. */
  late(socket: Socket, kind: Kind): string[] {
    return this.#lateStates(socket, kind).map(({ key }) => key);
  }

  /** One that surely takes it is enough, and the others of that name need not listen; where they may, they have to take it as well. */
  #lateStates(socket: Socket, kind: Kind): ProxyState[] {
    const { port } = socket;
    const states = this.#statesAt(socket);
    const wanting = states.filter((state) => (takenAtLast(state, port) & kind) !== 0);
    const late = wanting.filter((state) => (surelyTaken(state, port) & kind) === 0);
    if (late.length === wanting.length) return late;
    return late.filter((state) => (takenIfListening(state, port) & kind) === 0);
  }

  /** Where anybody surely listens, the others do not matter. */
  #statesOfNone(socket: Socket): ProxyState[] {
    const states = this.#statesAt(socket);
    return states.some((state) => surelyTaken(state, socket.port) !== 0) ? [] : states;
  }

  /** Whoever listens there, or else all of the address that only ask. */
  #statesAt({ address, port }: Socket): ProxyState[] {
    const keys = this.#listening.get(address, port) ?? this.#asking.get(address) ?? nobody;
    return [...keys].flatMap((key) => this.#state(key) ?? []);
  }
}

const nobody: Keys = new Set();

/** Where something has changed that a client's waiting hangs on. */
export function* movedSockets(
  before: ProxyState | undefined,
  next: ProxyState | undefined,
  waited: { ports(address: string): Iterable<number> },
): Generator<Socket> {
  const [were, are] = [takenByPort(before, waited), takenByPort(next, waited)];
  const isSameAddress = before?.address === next?.address;
  for (const [{ address = "" } = {}, ports, others] of [
    [before, were, are],
    [next, are, were],
  ] as const) {
    for (const [port, taken] of ports) {
      if (!isSameAddress || others.get(port) !== taken) yield { address, port };
    }
  }
}

/** All that a client's waiting hangs on, as one text. */
function takenByPort(
  state: ProxyState | undefined,
  waited: { ports(address: string): Iterable<number> },
): ReadonlyMap<number, string> {
  if (state?.address === undefined) return new Map();
  const asked = state.hasListeners === true ? [] : waited.ports(state.address);
  const ports = new Set([...listenedPorts(state), ...asked]);
  return new Map(
    Array.from(ports, (port) => {
      const taken = [surelyTaken, takenIfListening, takenAtLast].map((each) => each(state, port));
      return [port, [...taken, movedFrom(state, port)].join(" ")];
    }),
  );
}
