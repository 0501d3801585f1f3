/** How the ports of proxies are called, in short. A connection with mTLS is told when it ends, so those that are open stand apart. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { mtlsNumber } from "./connection-codes.ts";
import { countBefore, hourOf } from "./counted-hours.ts";
import type { EvidenceQuestion, PortSummary } from "./evidence-question.ts";

type Row = Readonly<Record<string, unknown>>;

const isMtls = `c.kind = ${mtlsNumber} AND c.refused = 0`;
const isOfNamespace = "(:namespace IS NULL OR m.namespace = :namespace)";

export class SummaryReader {
  readonly #ended: StatementSync;
  readonly #open: StatementSync;

  constructor(database: DatabaseSync) {
    this.#ended = database.prepare(
      `SELECT m.proxy, c.port, total(iif(${isMtls}, c.total - ${countBefore}, 0)) AS mtls,` +
        ` total(iif(${isMtls}, 0, c.total - ${countBefore})) AS others,` +
        ` total(iif(c.refused = 0, 0, c.total - ${countBefore})) AS refused,` +
        ` count(DISTINCT iif(${isMtls}, NULL, c.source)) AS other_sources` +
        " FROM members AS m JOIN callers AS c ON c.member = m.id" +
        ` WHERE ${isOfNamespace} AND c.last_ms >= :since GROUP BY m.proxy, c.port`,
    );
    // Beside max(), SQLite takes the other columns from that row (https://www.sqlite.org/lang_select.html#bareagg).
    this.#open = database.prepare(
      "SELECT m.proxy, s.port, s.open_meshed, max(s.until_ms) AS until_ms" +
        " FROM members AS m JOIN spans AS s ON s.member = m.id" +
        ` WHERE ${isOfNamespace} AND s.until_ms >= :since GROUP BY m.proxy, s.port`,
    );
  }

  summaryOf({
    namespace,
    sinceMs,
  }: Extract<EvidenceQuestion, { kind: "summary" }>): readonly PortSummary[] {
    const of = { namespace: namespace ?? null, since: sinceMs };
    const ports = new Map<string, PortSummary>();
    for (const row of this.#open.all(of)) {
      const openMeshed = Number(row["open_meshed"] ?? 0);
      if (openMeshed > 0) ports.set(keyOf(row), { ...endedOf(row), openMeshed });
    }
    for (const row of this.#ended.all({ ...of, hour: hourOf(sinceMs) })) {
      const key = keyOf(row);
      const openMeshed = ports.get(key)?.openMeshed ?? 0;
      ports.set(key, { ...endedOf(row), openMeshed });
    }
    return [...ports.values()];
  }
}

function keyOf(row: Row): string {
  return `${String(row["port"])} ${String(row["proxy"])}`;
}

function endedOf(row: Row): Omit<PortSummary, "openMeshed"> {
  return {
    proxy: String(row["proxy"]),
    port: Number(row["port"]),
    mtls: Number(row["mtls"] ?? 0),
    others: Number(row["others"] ?? 0),
    refused: Number(row["refused"] ?? 0),
    otherSources: Number(row["other_sources"] ?? 0),
  };
}
