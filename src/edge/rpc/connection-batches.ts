/** What an agent has seen, in reports that a message can carry each. */

import { batchesWithin } from "../../core/batches.ts";
import type {
  PortCoverage,
  ProxyConnections,
  SeenConnections,
} from "../../core/evidence/connection.ts";

/** The agent knows more of what it covers than a report says. */
interface Connections<Coverage extends PortCoverage> extends ProxyConnections {
  readonly coverage: readonly Coverage[];
}

/** The mesh port takes messages of 256 KiB. */
const reportOctetsMax = 196_608;
/** So that what is left of one message is not wasted by the next proxy. */
const pieceOctetsMax = 32_768;
/** Numbers, tags and lengths: at most. */
const rowOctets = 64;

/**
 * One report each, in this order: of a proxy whose connections do not fit into one, the coverage comes last. So nobody takes a span for
 * covered whose connections are still to come.
 */
export function connectionBatches<Coverage extends PortCoverage>(
  proxies: readonly Connections<Coverage>[],
): Connections<Coverage>[][] {
  return batchesWithin(proxies.flatMap(piecesOf), reportOctetsMax, octetsOf);
}

function piecesOf<Coverage extends PortCoverage>(
  proxy: Connections<Coverage>,
): Connections<Coverage>[] {
  const rows = batchesWithin(proxy.seen, pieceOctetsMax, seenOctets);
  const spans = batchesWithin(proxy.coverage, pieceOctetsMax, () => rowOctets);
  if (rows.length < 2 && spans.length < 2) return [proxy];
  const last = rows.pop() ?? [];
  const [first = [], ...more] = spans;
  return [
    ...rows.map((seen) => ({ ...proxy, seen, coverage: [] })),
    { ...proxy, seen: last, coverage: first },
    ...more.map((coverage) => ({ ...proxy, seen: [], coverage })),
  ];
}

function octetsOf({ proxyId, spiffeId = "", seen, coverage }: ProxyConnections): number {
  const names = Buffer.byteLength(proxyId) + spiffeId.length;
  const rows = seen.reduce((sum, each) => sum + seenOctets(each), 0);
  return rowOctets + names + rows + coverage.length * rowOctets;
}

function seenOctets({ source, claim }: SeenConnections): number {
  const named = source.kind === "identity" ? source.spiffeId.length : 0;
  return rowOctets + named + 3 * claim.length;
}
