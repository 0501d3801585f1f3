/** Whoever has one of a server's addresses is told another when it listens there, as far as anybody has said. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";
import { Violation } from "../world/violation.ts";
import type { ProxyConfig } from "./config.ts";
import { pairsOf, sendingsOf } from "./sendings.ts";
import type { PolicyWorld } from "./world.ts";

interface Told {
  readonly world: Pick<PolicyWorld, "config" | "server">;
  readonly client: string;
  readonly policy: ProxyPolicy;
  /** The client's, as the server has read it last. */
  readonly report: ProxyReport;
  /** Pairs whose decisions do not agree: nothing is waited for. */
  readonly fought: ReadonlySet<string>;
}

export function assertMoved({ world, client, policy, report, fought }: Told): void {
  const said = [report.applied, ...report.pending].filter((each) => typeof each === "object");
  const had = pairsOf(client, said);
  for (const { pair, address, port } of sendingsOf(client, policy.clusters)) {
    const server = world.config.at(address);
    // Its own port moves with it.
    if (server === undefined || server.key === client || had.has(pair) || fought.has(pair))
      continue;
    const from = perhapsAt(world, server, port).find(
      (each) => each !== address && had.has(pair.replace(` ${address} `, ` ${each} `)),
    );
    if (from === undefined) continue;
    throw new Violation(`${pair} is told, and ${server.key} may be listening at ${from}`);
  }
}

/** Nowhere where it is new, is to have no listener, or never comes back. */
function perhapsAt(
  { server }: Told["world"],
  { key, addresses, listens }: ProxyConfig,
  port: number,
): readonly string[] {
  if (server?.heard.has(key) !== true) return [];
  const { applied } = server.heard.get(key) ?? {};
  if (applied === undefined) return listens.has(port) ? addresses : [];
  const listener =
    applied === "nothing" ? undefined : applied.inbound.find((each) => each.port === port);
  return listener === undefined ? [] : [listener.bind];
}
