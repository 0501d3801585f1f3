/** Questions about certificates, by the index; what is answered comes from the entries themselves. */

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry, IntentEntry, ResultEntry } from "../../core/log/entry.ts";
import { conditionsOf, type CertificateFilter } from "./certificate-filter.ts";
import { artifactNumbers, outcomeNumbers } from "./certificate-writer.ts";

/** Anything that was meant to be signed. */
export interface CertificateRecord {
  readonly intentIndex: number;
  readonly intent: IntentEntry;
  /** Undefined while it is open. */
  readonly result: (ResultEntry & { readonly index: number }) | undefined;
}

export interface CertificatePage {
  readonly records: readonly CertificateRecord[];
  /** To be given as `from` for the next page; undefined after the last. */
  readonly next: number | undefined;
}

export interface NewestCertificate {
  readonly intentIndex: number;
  readonly issuedAtMs: number;
  readonly validUntilMs: number;
}

const PAGE_MAX = 1_000;

/** With its entries in one statement: between two of them they might be forgotten. */
const records =
  "SELECT certificates.intent, certificates.result," +
  " intents.data AS intent_data, results.data AS result_data" +
  " FROM certificates JOIN entries AS intents ON intents.idx = certificates.intent" +
  " LEFT JOIN entries AS results ON results.idx = certificates.result";

export class CertificateIndex {
  readonly #database: DatabaseSync;
  readonly #bySerial: StatementSync;
  readonly #newest: StatementSync;
  readonly #open: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#bySerial = database.prepare(`${records} WHERE serial = ?`);
    this.#newest = database.prepare(
      "SELECT intent, data AS intent_data FROM certificates JOIN entries ON idx = intent" +
        " WHERE identity = (SELECT id FROM identities WHERE name = ?)" +
        ` AND artifact = ${artifactNumbers.indexOf("workload")}` +
        ` AND outcome = ${outcomeNumbers.indexOf("signed")}` +
        " ORDER BY not_after_s DESC LIMIT 1",
    );
    this.#open = database.prepare(
      `${records} WHERE intent >= (SELECT open_from FROM head) AND result IS NULL ORDER BY intent`,
    );
  }

  /** @param serial its magnitude, without a leading zero octet */
  bySerial(serial: Uint8Array): CertificateRecord | undefined {
    const row = this.#bySerial.get(serial);
    return row === undefined ? undefined : recordOf(row);
  }

  /** The workload certificate of an identity that lasts longest; undefined for who has had none, or none lately. */
  newest(identity: string): NewestCertificate | undefined {
    const row = this.#newest.get(identity);
    if (row === undefined) return undefined;
    const { timeMs, notAfterMs } = entryOf(row["intent_data"], "intent");
    return {
      intentIndex: Number(row["intent"]),
      issuedAtMs: timeMs,
      validUntilMs: notAfterMs,
    };
  }

  /** Intents without a result, the oldest first. */
  open(): readonly CertificateRecord[] {
    return this.#open.all().map(recordOf);
  }

  /**
   * In the order of the log.
   * @param from index of the first intent that counts
   * @param limit at most 1,000
   */
  page(filter: CertificateFilter, from: number = 0, limit: number = PAGE_MAX): CertificatePage {
    const { where, values } = conditionsOf(filter);
    const size = Math.min(limit, PAGE_MAX);
    const rows = this.#database
      .prepare(`${records} WHERE intent >= ?${where} ORDER BY intent LIMIT ?`)
      .all(from, ...values, size + 1);
    const next = rows[size]?.["intent"];
    return {
      records: rows.slice(0, size).map(recordOf),
      next: next === undefined ? undefined : Number(next),
    };
  }
}

function recordOf(row: Record<string, SQLOutputValue>): CertificateRecord {
  const { intent, result, intent_data, result_data } = row;
  return {
    intentIndex: Number(intent),
    intent: entryOf(intent_data, "intent"),
    result:
      result === null ? undefined : { index: Number(result), ...entryOf(result_data, "result") },
  };
}

function entryOf<Kind extends Entry["kind"]>(
  data: SQLOutputValue | undefined,
  kind: Kind,
): Extract<Entry, { kind: Kind }> {
  const entry = data instanceof Uint8Array ? decodeEntry(data) : undefined;
  if (entry !== undefined && isOf(entry, kind)) return entry;
  throw new RangeError(`expected the entry of a certificate to be its ${kind}`);
}

function isOf<Kind extends Entry["kind"]>(
  entry: Entry,
  kind: Kind,
): entry is Extract<Entry, { kind: Kind }> {
  return entry.kind === kind;
}
