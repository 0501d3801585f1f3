/** What all ports of a workload take, in one value: most workloads have one mode, and share it. */

import { heldDecision, type Hold } from "./holds.ts";
import type { Labelled } from "./labels.ts";
import type { PeerPolicies } from "./peer-policies.ts";
import type { PortModes } from "./proxy-policy.ts";
import { serverMode, type ServerMode } from "./server-mode.ts";

const plain: Readonly<Record<ServerMode, PortModes>> = {
  disable: { other: "disable", ports: new Map() },
  permissive: { other: "permissive", ports: new Map() },
  strict: { other: "strict", ports: new Map() },
};

/** No policy can name it. */
const noPort = 0;

/** @param holds of the workload */
export function portModes(
  policies: PeerPolicies,
  target: Labelled,
  holds: readonly Hold[] = [],
): PortModes {
  const modeAt = (port: number): ServerMode =>
    heldDecision(serverMode(policies, target, port), holds, port).mode;
  const other = modeAt(noPort);
  const [counting] = policies.selecting(target);
  const held = holds.flatMap(({ ports, exceptPorts }) => [...ports, ...exceptPorts]);
  if (held.length === 0 && (counting === undefined || counting.ports.size === 0))
    return plain[other];
  const ports = Array.from(new Set([...(counting?.ports.keys() ?? []), ...held]))
    .toSorted((a, b) => a - b)
    .map((port) => [port, modeAt(port)] as const)
    .filter(([, mode]) => mode !== other);
  return ports.length === 0 ? plain[other] : { other, ports: new Map(ports) };
}

export function modeOf({ other, ports }: PortModes, port: number): ServerMode {
  return ports.get(port) ?? other;
}
