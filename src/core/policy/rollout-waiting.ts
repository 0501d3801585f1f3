/** Who waits for whom, for people: by name, where counts are enough to decide. */

import type { HeldSending } from "./rollout-client.ts";
import { mesh, type Kind } from "./rollout-kinds.ts";
import { eachLingering } from "./rollout-lingering.ts";
import type { ProxyState } from "./rollout-proxy.ts";
import type { HeldPort } from "./rollout-server.ts";
import { SocketMap, socketName, type Socket } from "./rollout-sockets.ts";

export interface HeldStep {
  readonly step: "stop-plaintext" | "stop-mtls" | "send-mtls" | "send-plaintext";
  /** ADDRESS:PORT of the server. */
  readonly endpoint: string;
  /** Keys of proxies, sorted, 20 at most. */
  readonly waitsFor: readonly string[];
  /** Of those, also where the list is cut. */
  readonly count: number;
}

const namesMax = 20;

export interface HeldProxy {
  readonly state: ProxyState;
  readonly heldPorts: readonly HeldPort[];
  readonly heldSendings: readonly HeldSending[];
}

export function namesOfWaited(
  proxies: readonly HeldProxy[],
  late: (socket: Socket, kind: Kind) => readonly string[],
): ReadonlyMap<string, readonly HeldStep[]> {
  const senders = sendersTo(proxies);
  const steps = new Map<string, readonly HeldStep[]>();
  for (const { state, heldPorts, heldSendings } of proxies) {
    const { key, address = "" } = state;
    const stops = heldPorts.map(({ port, waitsToStop: kind }) =>
      step(kind === mesh ? "stop-mtls" : "stop-plaintext", { address, port }, [
        ...(senders.get(address, port)?.keys ?? []),
      ]),
    );
    const sends = unlike(heldSendings).map(({ waitsToSend: kind, ...socket }) =>
      step(kind === mesh ? "send-mtls" : "send-plaintext", socket, late(socket, kind)),
    );
    if (stops.length + sends.length > 0) steps.set(key, [...stops, ...sends]);
  }
  return steps;
}

type Senders = SocketMap<Omit<HeldPort, "port"> & { readonly keys: Set<string> }>;

/** Of what the held ports wait to stop; one pass over all proxies. */
function sendersTo(proxies: readonly HeldProxy[]): Senders {
  const senders: Senders = new SocketMap();
  for (const { state, heldPorts } of proxies) {
    for (const { port, waitsToStop, waitsForUnknown } of heldPorts) {
      const sent = { waitsToStop, waitsForUnknown, keys: new Set<string>() };
      senders.set(state.address ?? "", port, sent);
    }
  }
  for (const { state } of proxies) {
    eachLingering(state, ({ address, port }, kind, isKnown) => {
      const sent = senders.get(address, port);
      if (sent?.waitsToStop === kind && (isKnown || sent.waitsForUnknown)) sent.keys.add(state.key);
    });
  }
  return senders;
}

/** Two services may have one endpoint. */
function unlike(held: readonly HeldSending[]): readonly HeldSending[] {
  return [
    ...new Map(held.map((each) => [`${each.waitsToSend} ${socketName(each)}`, each])).values(),
  ];
}

function step(name: HeldStep["step"], socket: Socket, keys: readonly string[]): HeldStep {
  const waitsFor = keys.toSorted().slice(0, namesMax);
  return { step: name, endpoint: socketName(socket), waitsFor, count: keys.length };
}
