/** Questions about certificates, by the index; what is answered comes from the entries themselves. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Artifact } from "../../core/log/entry.ts";
import type { LeafRecord } from "../../core/roll/leaf-record.ts";
import { conditionsOf, type CertificateFilter } from "./certificate-filter.ts";
import { entryOf, leafOf, recordOf, type CertificateRecord } from "./certificate-record.ts";
import { artifactNumbers, outcomeNumbers } from "./certificate-writer.ts";

export interface CertificatePage {
  readonly records: readonly CertificateRecord[];
  /** To be given as `from` for the next page; undefined after the last. */
  readonly next: number | undefined;
}

/** Of certificates that may be in use. */
export interface UnexpiredPage {
  readonly leaves: readonly LeafRecord[];
  /** To be given as `from` for the next page; undefined after the last. A page may be empty, and not the last. */
  readonly next: number | undefined;
}

export interface NewestCertificate {
  readonly intentIndex: number;
  readonly issuedAtMs: number;
  readonly validUntilMs: number;
}

const PAGE_MAX = 1_000;
/** So much of the log is looked at for a page: a long log of expired certificates must not hold up the thread. */
const SPAN = 16_384;

/** With its entries in one statement: between two of them they might be forgotten. */
const records =
  "SELECT certificates.intent, certificates.result," +
  " intents.data AS intent_data, results.data AS result_data" +
  " FROM certificates JOIN entries AS intents ON intents.idx = certificates.intent" +
  " LEFT JOIN entries AS results ON results.idx = certificates.result";

/** What others hold, and what hangs on a root. */
const hanging: readonly Artifact[] = ["workload", "canary"];

export class CertificateIndex {
  readonly #database: DatabaseSync;
  readonly #bySerial: StatementSync;
  readonly #newest: StatementSync;
  readonly #open: StatementSync;
  readonly #unexpired: StatementSync;
  readonly #last: StatementSync;

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
    this.#unexpired = database.prepare(
      "SELECT intent, outcome, data AS intent_data FROM certificates JOIN entries ON idx = intent" +
        " WHERE intent >= ? AND intent < ? AND not_after_s > ?" +
        ` AND artifact IN (${hanging.map((each) => artifactNumbers.indexOf(each)).join()})` +
        ` AND outcome IS NOT ${outcomeNumbers.indexOf("failed")} ORDER BY intent LIMIT ?`,
    );
    this.#last = database.prepare("SELECT max(intent) AS last FROM certificates");
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
   * Certificates of workloads, and canaries, that were signed, or may have been, in the order of the log.
   * @param afterMs those that end later
   * @param limit at most 1,000: 500 take some milliseconds
   */
  unexpired(afterMs: number, from: number, limit: number): UnexpiredPage {
    const size = Math.min(limit, PAGE_MAX);
    const to = from + SPAN;
    const rows = this.#unexpired.all(from, to, Math.floor(afterMs / 1_000), size + 1);
    const rest = rows[size]?.["intent"];
    const isLast = rest === undefined && to > Number(this.#last.get()?.["last"] ?? -1);
    return {
      leaves: rows.slice(0, size).map(leafOf),
      next: isLast ? undefined : Number(rest ?? to),
    };
  }

  /** One of those, expired or not. */
  leafAt(intentIndex: number): LeafRecord | undefined {
    const row = this.#unexpired.get(intentIndex, intentIndex + 1, -1, 1);
    return row === undefined ? undefined : leafOf(row);
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
