/** The contents octets of an OBJECT IDENTIFIER (X.690 8.19) in dotted form. */

import { DerError } from "./der-error.ts";

const OID_BYTES_MAX = 64;

/**
 * Short OIDs that were read before, as every certificate has the same few: to spell them anew was a
 * tenth of what a signature leaves for the garbage collector.
 */
const knownOids = new Map<number, string>();
const KNOWN_OIDS_MAX = 256;

/** @throws DerError `der-oid-invalid` */
export function decodeOid(contents: Uint8Array): string {
  const key = shortKey(contents);
  if (key === undefined) return spell(contents);
  const known = knownOids.get(key) ?? spell(contents);
  if (knownOids.size < KNOWN_OIDS_MAX) knownOids.set(key, known);
  return known;
}

/** Up to five octets and their number, as one number that is exact. */
function shortKey(contents: Uint8Array): number | undefined {
  if (contents.length > 5) return undefined;
  return contents.reduce((key, octet) => key * 256 + octet, contents.length);
}

function spell(contents: Uint8Array): string {
  if (contents.length === 0 || contents.length > OID_BYTES_MAX) throw oidInvalid();
  let dotted = "";
  let arc = 0;
  let arcIsOpen = false;
  for (const octet of contents) {
    // X.690 8.19.2: no leading 0x80 in an arc.
    if (octet === 0x80 && !arcIsOpen) throw oidInvalid();
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw oidInvalid();
    arcIsOpen = octet >= 0x80;
    if (arcIsOpen) continue;
    dotted = dotted === "" ? firstArcs(arc) : `${dotted}.${arc}`;
    arc = 0;
  }
  if (arcIsOpen) throw oidInvalid();
  return dotted;
}

/** X.690 8.19.4: the first two arcs share one number. */
function firstArcs(value: number): string {
  const first = Math.min(2, Math.floor(value / 40));
  return `${first}.${value - first * 40}`;
}

function oidInvalid(): DerError {
  return new DerError(
    "der-oid-invalid",
    `expected an OBJECT IDENTIFIER of at most ${OID_BYTES_MAX} octets with minimal arcs`,
  );
}
