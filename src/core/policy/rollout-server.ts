/**
 * What a server's ports are told to take now: what they are to take, and what somebody still sends and is going to stop, as long as
 * the port takes it.
 */

import { modeOf } from "./port-modes.ts";
import type { InboundPort, PortModes, ProxyPolicy } from "./proxy-policy.ts";
import { both, kindsTaken, mesh, type Kind, type Kinds } from "./rollout-kinds.ts";
import { perhapsTaken } from "./rollout-listening.ts";
import type { ProxyState } from "./rollout-proxy.ts";
import type { ServerMode } from "./server-mode.ts";

/** Of one server. */
export interface LingeringView {
  /** What clients still send there, or soon may, that they are not to send. */
  known(port: number): Kinds;
  /** What clients may be sending there of whom nothing is known. */
  unknown(port: number): Kinds;
  /** Where there is any. */
  readonly ports: Iterable<number>;
}

export interface HeldPort {
  readonly port: number;
  readonly waitsToStop: Kind;
  /** Also for those who have not said what they send. */
  readonly waitsForUnknown: boolean;
}

export interface NextPorts extends Pick<ProxyPolicy, "inbound" | "modes"> {
  readonly held: readonly HeldPort[];
}

export function nextPorts(
  state: ProxyState,
  { inbound, modes }: ProxyPolicy,
  lingering: LingeringView,
): NextPorts {
  const held =
    state.hasListeners === true
      ? inbound.flatMap(({ port, mode }) => heldPort(state, port, mode, lingering))
      : [...lingering.ports].flatMap((port) =>
          heldPort(state, port, modeOf(modes, port), lingering),
        );
  if (held.length === 0) return { inbound, modes, held };
  const ports = new Set(held.map(({ port }) => port));
  return { inbound: inbound.map((each) => widened(each, ports)), modes: wider(modes, ports), held };
}

function heldPort(
  state: ProxyState,
  port: number,
  mode: ServerMode,
  lingering: LingeringView,
): HeldPort[] {
  // What the port has not taken is not opened for those who send it: they are refused already. Where nothing of ours listens yet,
  // the application takes what is sent; but whoever has not said what he sends has no new port opened for plaintext.
  const refused = both & ~kindsTaken(mode);
  const known = lingering.known(port) & perhapsTaken(state, port, both) & refused;
  const unknown = lingering.unknown(port) & perhapsTaken(state, port, mesh) & refused;
  if ((known | unknown) === 0) return [];
  return [{ port, waitsToStop: refused as Kind, waitsForUnknown: unknown !== 0 }];
}

function widened(each: InboundPort, ports: ReadonlySet<number>): InboundPort {
  return ports.has(each.port) ? { ...each, mode: "permissive" } : each;
}

/** The one mode that takes all: a port that is held has to take both kinds. */
function wider({ other, ports }: PortModes, held: ReadonlySet<number>): PortModes {
  const modes = new Map(ports);
  for (const port of held) {
    if (other === "permissive") modes.delete(port);
    else modes.set(port, "permissive");
  }
  return { other, ports: new Map([...modes].toSorted(([a], [b]) => a - b)) };
}
