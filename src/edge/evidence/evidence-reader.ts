/** Answers questions from `evidence.db`. How long a window is costs nothing: hours have totals of all that was before them. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { AddressSpan } from "../../core/evidence/address-history.ts";
import type { MemberSpan } from "../../core/evidence/member.ts";
import type {
  EvidenceAnswer,
  EvidenceQuestion,
  StoredMember,
  StoredSeen,
} from "./evidence-question.ts";
import { mtlsNumber } from "./connection-codes.ts";
import { countBefore, hourOf } from "./counted-hours.ts";
import { addressSpanOf, seenOf, spanOf } from "./evidence-rows.ts";
import { SummaryReader } from "./summary-reader.ts";
import { takenMembers } from "./taken-members.ts";

type Of<Kind> = Extract<EvidenceQuestion, { kind: Kind }>;

const first =
  "coalesce((SELECT first_ms FROM hours WHERE caller = c.id AND hour >= :hour AND last_ms >= :since" +
  " ORDER BY hour LIMIT 1), c.first_ms)";
const asked = "IN (SELECT value FROM json_each(:members))";

export class EvidenceReader {
  readonly #members: StatementSync;
  readonly #seen: StatementSync;
  readonly #mtls: StatementSync;
  readonly #spans: StatementSync;
  readonly #holders: StatementSync;
  readonly #summary: SummaryReader;

  constructor(database: DatabaseSync) {
    this.#members = database.prepare(
      "SELECT * FROM members WHERE namespace = :namespace AND (gone_ms IS NULL OR gone_ms >= :since) ORDER BY id",
    );
    this.#seen = database.prepare(
      `SELECT c.*, sources.kind AS source_kind, sources.name, c.total - ${countBefore} AS count, ${first} AS since_ms` +
        " FROM callers AS c LEFT JOIN sources ON sources.id = c.source" +
        ` WHERE c.member ${asked} AND c.last_ms >= :since` +
        " AND (:ports IS NULL OR c.port IN (SELECT value FROM json_each(:ports))) AND c.refused >= :refused" +
        ` AND (NOT :summed OR c.refused = 1 OR c.kind <> ${mtlsNumber})`,
    );
    this.#mtls = database.prepare(
      `SELECT c.member, c.port, ${mtlsNumber} AS kind, 0 AS refused, 0 AS source_kind, '' AS name, '' AS claim,` +
        ` total(c.total - ${countBefore}) AS count, min(c.ever_first_ms) AS since_ms, max(c.last_ms) AS last_ms,` +
        " min(c.ever_first_ms) AS ever_first_ms FROM callers AS c" +
        ` WHERE c.member ${asked} AND c.kind = ${mtlsNumber} AND c.refused = 0 AND c.last_ms >= :since` +
        " AND (:ports IS NULL OR c.port IN (SELECT value FROM json_each(:ports))) GROUP BY c.member, c.port",
    );
    this.#spans = database.prepare(
      `SELECT * FROM spans WHERE member ${asked} AND until_ms >= :since` +
        " ORDER BY member, port, since_ms",
    );
    this.#holders = database.prepare(
      "SELECT * FROM addresses WHERE address IN (SELECT value FROM json_each(:addresses))" +
        " AND (until_ms IS NULL OR until_ms >= :since) ORDER BY address, since_ms",
    );
    this.#summary = new SummaryReader(database);
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
        return this.#summary.summaryOf(question);
      default:
        return question satisfies never;
    }
  }

  #membersOf({ namespace, selector, sinceMs }: Of<"members">): readonly StoredMember[] {
    const rows = this.#members.all({ namespace, since: sinceMs });
    return takenMembers(rows, selector);
  }

  #seenBy({
    members,
    ports,
    sinceMs,
    isRefusedOnly,
    isMtlsSummed = false,
  }: Of<"seen">): readonly StoredSeen[] {
    const of = {
      members: idsOf(members),
      ports: ports === undefined ? null : JSON.stringify(ports),
      since: sinceMs,
      hour: hourOf(sinceMs),
    };
    const only = { refused: Number(isRefusedOnly), summed: Number(isMtlsSummed) };
    const rows = this.#seen.all({ ...of, ...only });
    const summed = isMtlsSummed && !isRefusedOnly ? this.#mtls.all(of) : [];
    return [...rows, ...summed].map(seenOf);
  }

  #spansOf({ members, sinceMs }: Of<"spans">): readonly MemberSpan[] {
    return this.#spans.all({ members: idsOf(members), since: sinceMs }).map(spanOf);
  }

  #holdersOf({ addresses, sinceMs }: Of<"holders">): readonly AddressSpan[] {
    const rows = this.#holders.all({ addresses: JSON.stringify(addresses), since: sinceMs });
    return rows.map(addressSpanOf);
  }
}

/** Those that this file has given; others have no evidence here. */
function idsOf(keys: readonly string[]): string {
  return JSON.stringify(keys.map(Number).filter(Number.isSafeInteger));
}
