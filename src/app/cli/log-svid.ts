/** A certificate by its serial, as `svid show` shows it: all that the log has of it, where it stands, who holds it. */

import type { CertificateRecord } from "../../edge/log/certificate-record.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatRelative } from "./format.ts";
import { certificateState, wholeCertificate, type CertificateState } from "./log-certificate.ts";
import { openLogReader } from "./log-directory.ts";
import { fieldRows } from "./log-entry-value.ts";
import { fetchHolders } from "./log-holders.ts";
import { lookUpSerial, serialHex } from "./log-lookup.ts";
import { writeOutput, type OutputFormat } from "./output.ts";
import { formatTable } from "./table.ts";

/** @throws LogLookupError; LogError */
export async function showLoggedSvid(
  context: Context,
  directory: string,
  serial: Uint8Array,
  format: OutputFormat,
): Promise<ExitCode> {
  using reader = openLogReader(directory);
  const nowMs = context.nowMs();
  const record = lookUpSerial(reader, serial);
  const { size } = reader.head();
  const holders = await fetchHolders(directory, context);
  const value = {
    ...wholeCertificate(record, holders.get(serialHex(serial)), nowMs),
    proof: {
      size,
      hashes:
        record.result === undefined ? null : reader.inclusion(record.result.index, size).length,
    },
  };
  await writeOutput(context, format, value, () => {
    const columns = [{ header: "field" }, { header: headerOf(value.state, record, nowMs) }];
    return formatTable(columns, fieldRows(value), { colour: false });
  });
  return certificateState(record, nowMs) === "valid" ? ExitCode.ok : ExitCode.warning;
}

function headerOf(state: CertificateState, { intent }: CertificateRecord, nowMs: number): string {
  const when = formatRelative(intent.notAfterMs, nowMs);
  return state === "expired" ? `expired ${when}` : `${state}, expires ${when}`;
}
