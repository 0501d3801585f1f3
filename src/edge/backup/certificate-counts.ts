/** What a log says of the certificates that are out there. */

import { decodeEntry } from "../../core/log/entry-codec.ts";
import { artifactNumbers, outcomeNumbers } from "../log/certificate-writer.ts";
import { logPath, openForReading } from "../log/log-database.ts";

export interface CertificateCounts {
  /** Of workloads: signed, or perhaps signed, and not expired. */
  readonly validCertificates: number;
  /** Of anything that had not expired when the backup was made: from its beginning to its end. */
  readonly longestLifeMs: number;
}

/** @throws LogError; what SQLite throws */
export function countCertificates(
  directory: string,
  createdAtMs: number,
  nowMs: number,
): CertificateCounts {
  using database = openForReading(logPath(directory));
  const rows = database
    .prepare(
      "SELECT artifact, data FROM certificates JOIN entries ON idx = intent" +
        " WHERE not_after_s * 1000 > ? AND outcome IS NOT ?",
    )
    .iterate(createdAtMs, outcomeNumbers.indexOf("failed"));
  const workload = artifactNumbers.indexOf("workload");
  let [validCertificates, longestLifeMs] = [0, 0];
  for (const { artifact, data } of rows) {
    const entry = data instanceof Uint8Array ? decodeEntry(data) : undefined;
    if (entry?.kind !== "intent") continue;
    if (artifact === workload && entry.notAfterMs > nowMs) validCertificates += 1;
    longestLifeMs = Math.max(longestLifeMs, entry.notAfterMs - entry.notBeforeMs);
  }
  return { validCertificates, longestLifeMs };
}
