/** A certificate as the log knows it, as a value for programs, and who holds it now. */

import type { CertificateRecord } from "../../edge/log/certificate-record.ts";
import { entryValue, type EntryValue, logTime } from "./log-entry-value.ts";
import type { Holder } from "./log-holders.ts";
import { serialHex } from "./log-lookup.ts";

export type CertificateState = "valid" | "expired" | "open" | "failed" | "unknown";

/** `open`: its result has not come yet. `unknown`: it may have been signed. */
export function certificateState(
  { intent, result }: CertificateRecord,
  nowMs: number,
): CertificateState {
  if (result === undefined) return "open";
  if (result.outcome !== "signed") return result.outcome;
  return nowMs < intent.notAfterMs ? "valid" : "expired";
}

export type CertificateValue = {
  readonly identity: string;
  readonly serial: string;
  readonly artifact: string;
  readonly authority: string;
  readonly issued: string;
  readonly notAfter: string;
  readonly state: CertificateState;
  readonly holder: Holder | null;
  /** Indices of its entries. */
  readonly intent: number;
  readonly result: number | null;
};

/** A line of a list. */
export function certificateValue(
  record: CertificateRecord,
  holder: Holder | undefined,
  nowMs: number,
): CertificateValue {
  const { intent, intentIndex } = record;
  return {
    identity: intent.identity,
    serial: serialHex(intent.serial),
    artifact: intent.artifact,
    authority: intent.authority,
    issued: logTime(intent.timeMs),
    notAfter: logTime(intent.notAfterMs),
    state: certificateState(record, nowMs),
    holder: holder ?? null,
    intent: intentIndex,
    result: record.result?.index ?? null,
  };
}

export type WholeCertificate = {
  readonly serial: string;
  readonly state: CertificateState;
  readonly intent: EntryValue;
  readonly result: EntryValue | null;
  readonly holder: Holder | null;
};

/** All that the log has of it. */
export function wholeCertificate(
  record: CertificateRecord,
  holder: Holder | undefined,
  nowMs: number,
): WholeCertificate {
  const { intent, intentIndex, result } = record;
  return {
    serial: serialHex(intent.serial),
    state: certificateState(record, nowMs),
    intent: entryValue(intentIndex, intent),
    result: result === undefined ? null : entryValue(result.index, result),
    holder: holder ?? null,
  };
}
