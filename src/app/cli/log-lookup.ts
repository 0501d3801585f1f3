/** What an operator names in a log: an entry by its index, a certificate by its serial. */

import { PortcullisError } from "../../core/error.ts";
import type { CertificateRecord } from "../../edge/log/certificate-record.ts";
import type { LogReader } from "../../edge/log/log-reader.ts";

export type LogLookupErrorCode =
  | "log-entry-unknown"
  | "log-entry-missing"
  | "log-entry-pruned"
  | "log-serial-unknown"
  | "log-certificate-open";

export class LogLookupError extends PortcullisError<LogLookupErrorCode> {
  override name = "LogLookupError";
}

const SERIAL_BYTES_MAX = 20;

/**
 * The magnitude of a serial as any tool shows it: hex, with colons or without, with or without `0x` and leading zeros; a
 * JWT's `jti`. Undefined if it is none.
 */
export function parseSerial(text: string): Uint8Array | undefined {
  const digits = text.replace(/^0x/i, "").replaceAll(/[:-]/g, "").replace(/^0+/, "");
  if (!/^[0-9a-f]+$/i.test(digits)) return undefined;
  const octets = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  return octets.length > SERIAL_BYTES_MAX ? undefined : new Uint8Array(octets);
}

/** A serial of so few digits, all of them decimal, is told from it by `0x`. */
export function parseIndex(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function serialHex(serial: Uint8Array): string {
  return Buffer.from(serial).toString("hex");
}

/** @throws LogLookupError */
export function lookUpEntry(reader: LogReader, index: number): Uint8Array {
  const data = reader.entry(index);
  if (data !== undefined) return data;
  const { size, prunedTo } = reader.head();
  if (index >= size) {
    const message = `expected an entry below ${size}, got ${index}`;
    throw new LogLookupError("log-entry-unknown", message, {
      hint: `a serial of decimal digits only: 0x${index}`,
    });
  }
  if (index >= prunedTo) {
    throw new LogLookupError("log-entry-missing", `entry ${index} is missing, and was not pruned`, {
      hint: "the log is damaged: portcullis audit verify",
    });
  }
  throw new LogLookupError("log-entry-pruned", `entry ${index} was pruned: its hash is left`, {
    hint: `the first that is there: portcullis audit show ${prunedTo}`,
  });
}

/** @throws LogLookupError */
export function lookUpSerial(reader: LogReader, serial: Uint8Array): CertificateRecord {
  const record = reader.certificates.bySerial(serial);
  if (record !== undefined) return record;
  const { prunedTo } = reader.head();
  const message = `the log has no certificate with the serial ${serialHex(serial)}`;
  const hint = prunedTo > 0 ? { hint: `entries before ${prunedTo} were pruned` } : {};
  throw new LogLookupError("log-serial-unknown", message, hint);
}
