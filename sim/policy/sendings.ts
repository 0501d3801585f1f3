/** Who sends what to whom in a simulated mesh. */

import type { OutboundCluster, ProxyPolicy, Sending } from "../../src/core/policy/proxy-policy.ts";
import type { SimAgent } from "./agent.ts";

export interface SimSending {
  /** Names the client, its service and the socket. */
  readonly pair: string;
  readonly address: string;
  readonly port: number;
  readonly sends: Sending;
}

export function* sendingsOf(
  key: string,
  clusters: Iterable<OutboundCluster>,
): Generator<SimSending> {
  for (const { name, endpoints } of clusters) {
    for (const { address, port, sends } of endpoints) {
      yield { pair: `${key} ${name} ${address} ${port}`, address, port, sends };
    }
  }
}

/** Also what is not in force yet. */
export function* sendingsOfAgent(agent: SimAgent): Generator<SimSending> {
  yield* sendingsOf(agent.key, agent.envoy.clusters);
  for (const { clusters } of agent.possible()) yield* sendingsOf(agent.key, clusters);
}

export function sendsByPair(key: string, { clusters }: ProxyPolicy): ReadonlyMap<string, Sending> {
  return new Map(Array.from(sendingsOf(key, clusters), ({ pair, sends }) => [pair, sends]));
}

/** Of any of the policies. */
export function pairsOf(key: string, policies: readonly ProxyPolicy[]): ReadonlySet<string> {
  return new Set(policies.flatMap((each) => [...sendsByPair(key, each).keys()]));
}
