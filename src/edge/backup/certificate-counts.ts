/** What a log says of workloads' certificates that are out there. The server's own keys are gone with the server. */

import { decodeEntry } from "../../core/log/entry-codec.ts";
import { artifactNumbers, outcomeNumbers } from "../log/certificate-writer.ts";
import { logPath, openForReading } from "../log/log-database.ts";

export interface CertificateCounts {
  /** Signed, or perhaps signed, and not expired. */
  readonly validCertificates: number;
  /** Of one that had not expired when the backup was made: from its beginning to its end. */
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
      "SELECT data FROM certificates JOIN entries ON idx = intent" +
        " WHERE artifact = ? AND not_after_s * 1000 > ? AND outcome IS NOT ?",
    )
    .iterate(artifactNumbers.indexOf("workload"), createdAtMs, outcomeNumbers.indexOf("failed"));
  let [validCertificates, longestLifeMs] = [0, 0];
  for (const { data } of rows) {
    const entry = data instanceof Uint8Array ? decodeEntry(data) : undefined;
    if (entry?.kind !== "intent") continue;
    if (entry.notAfterMs > nowMs) validCertificates += 1;
    longestLifeMs = Math.max(longestLifeMs, entry.notAfterMs - entry.notBeforeMs);
  }
  return { validCertificates, longestLifeMs };
}
