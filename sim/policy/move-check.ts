/** Whoever has one of a server's addresses is told another when it listens there, as far as anybody has said. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";
import { Violation } from "../world/violation.ts";
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
    const server = world.config.at(address)?.key ?? client;
    // Its own port moves with it.
    if (server === client || had.has(pair) || fought.has(pair)) continue;
    const { applied } = world.server?.reports.get(server) ?? {};
    if (applied === undefined || applied === "nothing") continue;
    const from = applied.inbound.find((each) => each.port === port)?.bind ?? address;
    if (from === address || !had.has(pair.replace(` ${address} `, ` ${from} `))) continue;
    throw new Violation(`${pair} is told while ${server} listens at ${from}`);
  }
}
