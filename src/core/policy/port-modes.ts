/** What all ports of a workload take, in one value: most workloads have one mode, and share it. */

import type { PeerPolicies } from "./peer-policies.ts";
import type { Labelled } from "./labels.ts";
import type { PortModes } from "./proxy-policy.ts";
import { serverMode, type ServerMode } from "./server-mode.ts";

const plain: Readonly<Record<ServerMode, PortModes>> = {
  disable: { other: "disable", ports: new Map() },
  permissive: { other: "permissive", ports: new Map() },
  strict: { other: "strict", ports: new Map() },
};

/** No policy can name it. */
const noPort = 0;

export function portModes(policies: PeerPolicies, target: Labelled): PortModes {
  const other = serverMode(policies, target, noPort).mode;
  const [counting] = policies.selecting(target);
  if (counting === undefined || counting.ports.size === 0) return plain[other];
  const ports = Array.from(counting.ports.keys())
    .toSorted((a, b) => a - b)
    .map((port) => [port, serverMode(policies, target, port).mode] as const)
    .filter(([, mode]) => mode !== other);
  return ports.length === 0 ? plain[other] : { other, ports: new Map(ports) };
}

export function modeOf({ other, ports }: PortModes, port: number): ServerMode {
  return ports.get(port) ?? other;
}
