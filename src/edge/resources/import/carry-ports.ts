/** Ports of services, as a policy of Istio 1.0 has them -> ports of workloads, as a PeerAuthentication has them. Pure. */

import type { Json } from "../manifest.ts";
import type { AlphaPort, AlphaTarget } from "./alpha-policy.ts";
import type { KnownPort, KnownService } from "./known-services.ts";

/** @param lose takes what could not be carried over, with its origin */
export type Lose = (origin: string, text: string) => void;

export interface Explained {
  readonly target: AlphaTarget;
  readonly service: KnownService;
  /** Of the policy. */
  readonly origin: string;
}

export function portMap(ports: ReadonlyMap<number, string>): Json {
  const pairs = [...ports].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(pairs.map(([port, mode]) => [String(port), { mode }]));
}

/** In the place of a service's, the workload's own. */
export function portsOf({ origin, target, service }: Explained, lose: Lose): readonly number[] {
  const asked: readonly AlphaPort[] =
    target.ports.length > 0
      ? target.ports
      : service.ports.map(({ number }) => ({ number, name: undefined }));
  return asked.flatMap((port) => {
    const what = `port ${port.number ?? port.name ?? ""} of ${target.service}`;
    const known = service.ports.find((each) => isAsked(each, port));
    if (known?.targetPort !== undefined) return [known.targetPort];
    const number = known?.number ?? port.number;
    if (number === undefined) {
      lose(origin, `${what}: its number is not known, and it is left out`);
      return [];
    }
    // Without anything known of the service that has been said.
    if (service.ports.length > 0) {
      lose(origin, `${what}: the workload's own port is not known, assumed ${number}`);
    }
    return [number];
  });
}

function isAsked({ number, name }: KnownPort, port: AlphaPort): boolean {
  return port.number === undefined ? name === port.name : number === port.number;
}
