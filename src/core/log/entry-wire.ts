/**
 * What the writer and the reader of entries agree on. Entries are big-endian integers and octets with a length before them,
 * as in TLS presentation language (RFC 8446 3).
 */

import { LogError } from "./log-error.ts";

export const ENTRY_BYTES_MAX = 8192;
/** SPIFFE-ID 2.3; a subject and a list of DNS names have the same room. */
export const IDENTITY_BYTES_MAX = 2048;

/** A name has at most 254 octets; this for its length says that a UUID follows, in 16 octets. */
export const UUID_FOLLOWS = 0xff;
export const UUID_BYTES = 16;

/** Lower case only: another UUID is a text as any. */
export function isUuid(text: string): boolean {
  return text.length === 36 && UUID.test(text);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function malformed(field: string, expected: string, got: string): LogError {
  return new LogError("log-entry-malformed", `expected ${expected} in ${field}, got ${got}`);
}
