/**
 * How many connections Envoy counts, out of its flush. Pure. Each workload says of its own Envoy what it likes, and one report has what is
 * said of all: a flush with numbers that cannot be is none.
 */

import type {
  ChainCounts,
  CountsFlush,
  PortCounts,
} from "../../../core/evidence/connection-counts.ts";
import { parsePortStat, type PortStat } from "../../../core/envoy/chain-stats.ts";
import type { Flush } from "../policy/draining.ts";
import { isPort, timeMsMax } from "./told-connection.ts";

/** In each flush. */
const uptimeStat = "server.uptime";
const removedStat = "listener_manager.listener_removed";

/**
 * Without those who left before a chain was looked for: nobody knows what they were, and no mode would have kept them out.
 * @param ports that it listens on, where that is known: a flush has none that nobody has called
 * @returns undefined for a flush that does not say how old Envoy is, or whose numbers cannot be
 */
export function countsOf(
  { takenMs, stats }: Flush,
  ports: ReadonlySet<number> | undefined,
): CountsFlush | undefined {
  const uptimeSeconds = stats.get(uptimeStat);
  if (uptimeSeconds === undefined || !isCount(uptimeSeconds)) return undefined;
  if (!(takenMs <= timeMsMax && uptimeSeconds * 1_000 <= takenMs)) return undefined;
  const counted = new Map<number, Counted>();
  for (const [name, value] of stats) {
    const stat = statOf(name);
    if (stat === undefined || ports?.has(stat.port) === false) continue;
    if (!isCount(value)) return undefined;
    const ofPort = counted.get(stat.port) ?? new Counted();
    counted.set(stat.port, ofPort);
    ofPort.add(stat, value);
  }
  const all = Array.from(ports ?? counted.keys());
  return {
    takenMs,
    uptimeSeconds,
    removedListeners: stats.get(removedStat) ?? 0,
    ports: new Map(all.map((port) => [port, counted.get(port)?.counts() ?? nothing])),
  };
}

/** Envoy's are doubles in a flush. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Each Envoy has the same names in each of its flushes, and most Envoys of a node have the same. */
const statsByName = new Map<string, PortStat | undefined>();
const namesMax = 16_384;

function statOf(name: string): PortStat | undefined {
  const known = statsByName.get(name);
  if (known !== undefined || statsByName.has(name)) return known;
  if (statsByName.size >= namesMax) statsByName.clear();
  const parsed = parsePortStat(name);
  const stat = parsed !== undefined && isPort(parsed.port) ? parsed : undefined;
  statsByName.set(name, stat);
  return stat;
}

const nothing: PortCounts = { ended: 0, chains: new Map() };

type Stats = Partial<Record<PortStat["stat"], number>>;

class Counted {
  #ended = 0;
  readonly #chains = new Map<string, Stats>();

  add({ chain, stat }: PortStat, value: number): void {
    if (chain === undefined || chain === "") this.#ended += value;
    if (chain === undefined) return;
    const stats = this.#chains.get(chain) ?? {};
    this.#chains.set(chain, stats);
    stats[stat] = value;
  }

  counts(): PortCounts {
    const chains = Array.from(this.#chains, ([name, stats]) => [name, chainCounts(stats)] as const);
    return { ended: this.#ended, chains: new Map(chains) };
  }
}

/** Envoy's TCP proxy counts who begins, and its HTTP manager who ends. */
function chainCounts({ begun, ended = 0, open = 0 }: Stats): ChainCounts {
  return { ended: begun === undefined ? ended : Math.max(0, begun - open), open };
}
