/** Answers questions from `evidence.db`. How long a window is costs nothing: hours have totals of all that was before them. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { AddressSpan } from "../../core/evidence/address-history.ts";
import type { MemberSpan } from "../../core/evidence/member.ts";
import { selects } from "../../core/policy/labels.ts";
import { mtlsNumber } from "./connection-codes.ts";
import { hourMs } from "./evidence-change.ts";
import type {
  EvidenceAnswer,
  EvidenceQuestion,
  PortSummary,
  StoredMember,
  StoredSeen,
} from "./evidence-question.ts";
import { addressSpanOf, memberOf, seenOf, spanOf, summaryOf } from "./evidence-rows.ts";

type Of<Kind> = Extract<EvidenceQuestion, { kind: Kind }>;

/** `:hour` is the one that the window begins in. */
const before =
  "coalesce((SELECT total FROM hours WHERE caller = c.id AND hour < :hour ORDER BY hour DESC LIMIT 1), 0)";
const first =
  "coalesce((SELECT first_ms FROM hours WHERE caller = c.id AND hour >= :hour AND last_ms >= :since" +
  " ORDER BY hour LIMIT 1), c.first_ms)";
const asked = "IN (SELECT value FROM json_each(:members))";

export class EvidenceReader {
  readonly #members: StatementSync;
  readonly #seen: StatementSync;
  readonly #spans: StatementSync;
  readonly #holders: StatementSync;
  readonly #summary: StatementSync;

  constructor(database: DatabaseSync) {
    this.#members = database.prepare(
      "SELECT * FROM members WHERE namespace = :namespace AND (gone_ms IS NULL OR gone_ms >= :since) ORDER BY id",
    );
    this.#seen = database.prepare(
      `SELECT c.*, sources.kind AS source_kind, sources.name, c.total - ${before} AS count, ${first} AS since_ms` +
        " FROM callers AS c LEFT JOIN sources ON sources.id = c.source" +
        ` WHERE c.member ${asked} AND c.last_ms >= :since` +
        " AND (:ports IS NULL OR c.port IN (SELECT value FROM json_each(:ports))) AND c.refused >= :refused",
    );
    this.#spans = database.prepare(
      `SELECT * FROM spans WHERE member ${asked} AND until_ms >= :since` +
        " ORDER BY member, port, since_ms",
    );
    this.#holders = database.prepare(
      "SELECT * FROM addresses WHERE address IN (SELECT value FROM json_each(:addresses))" +
        " AND (until_ms IS NULL OR until_ms >= :since) ORDER BY address, since_ms",
    );
    const isMtls = `c.kind = ${mtlsNumber} AND c.refused = 0`;
    this.#summary = database.prepare(
      `SELECT m.proxy, c.port, total(iif(${isMtls}, c.total - ${before}, 0)) AS mtls,` +
        ` total(iif(${isMtls}, 0, c.total - ${before})) AS others,` +
        ` count(DISTINCT iif(${isMtls}, NULL, c.source)) AS other_sources` +
        " FROM members AS m JOIN callers AS c ON c.member = m.id" +
        " WHERE (:namespace IS NULL OR m.namespace = :namespace) AND c.last_ms >= :since" +
        " GROUP BY m.proxy, c.port",
    );
  }

  /** @throws whatever SQLite throws */
  answer(question: EvidenceQuestion): EvidenceAnswer {
    switch (question.kind) {
      case "members":
        return this.#membersOf(question);
      case "seen":
        return this.#seenBy(question);
      case "spans":
        return this.#spansOf(question);
      case "holders":
        return this.#holdersOf(question);
      case "summary":
        return this.#summaryOf(question);
      default:
        return question satisfies never;
    }
  }

  #membersOf({ namespace, selector, sinceMs }: Of<"members">): readonly StoredMember[] {
    const rows = this.#members.all({ namespace, since: sinceMs });
    return rows.flatMap((row) => {
      const member = memberOf(row);
      // One whose labels nobody has said may be anybody's.
      return row["labels"] === "" || selects(selector, member.labels) ? [member] : [];
    });
  }

  #seenBy({ members, ports, sinceMs, isRefusedOnly }: Of<"seen">): readonly StoredSeen[] {
    const rows = this.#seen.all({
      members: idsOf(members),
      ports: ports === undefined ? null : JSON.stringify(ports),
      since: sinceMs,
      hour: hourOf(sinceMs),
      refused: Number(isRefusedOnly),
    });
    return rows.map(seenOf);
  }

  #spansOf({ members, sinceMs }: Of<"spans">): readonly MemberSpan[] {
    return this.#spans.all({ members: idsOf(members), since: sinceMs }).map(spanOf);
  }

  #holdersOf({ addresses, sinceMs }: Of<"holders">): readonly AddressSpan[] {
    const rows = this.#holders.all({ addresses: JSON.stringify(addresses), since: sinceMs });
    return rows.map(addressSpanOf);
  }

  #summaryOf({ namespace, sinceMs }: Of<"summary">): readonly PortSummary[] {
    const rows = this.#summary.all({
      namespace: namespace ?? null,
      since: sinceMs,
      hour: hourOf(sinceMs),
    });
    return rows.map(summaryOf);
  }
}

/** Those that this file has given; others have no evidence here. */
function idsOf(keys: readonly string[]): string {
  return JSON.stringify(keys.map(Number).filter(Number.isSafeInteger));
}

function hourOf(sinceMs: number): number {
  return Math.floor(sinceMs / hourMs);
}
