/** Which of an inbound listener's connections are the mesh's, by the filter chain that took them. */

import { inboundChains } from "../envoy/inbound-chains.ts";

/** Of connections that found no chain, or were gone before one was looked for. */
export const noChain = "";

/** What agents prove their Envoys with comes from themselves. */
export const canaryChain = "canary";
const meshed: ReadonlySet<string> = new Set([
  canaryChain,
  ...(["permissive", "strict"] as const)
    .flatMap((mode) => [...inboundChains(mode, "auto"), ...inboundChains(mode, "http")])
    .filter(({ endsTls }) => endsTls)
    .map(({ name }) => name),
]);

export function isMeshedChain(name: string): boolean {
  return meshed.has(name);
}

/** Envoy tells of its connections when they begin. Of those without a chain nobody can say before their end what they are. */
export function isPlainChain(name: string): boolean {
  return name !== noChain && !isMeshedChain(name);
}
