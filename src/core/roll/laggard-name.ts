/**
 * The names of laggards: what a gate shows and a waiver says, each with one meaning. What is in them others choose, an Envoy's
 * node.id for one, so they are made of what can be typed, kept in a line of the log, and waived, whatever it is.
 */

import { hash } from "node:crypto";
import { laggardKinds, type LaggardKind } from "./laggard.ts";

/** Kinds whose ID means something within an identity only. */
const ownedKinds: ReadonlySet<LaggardKind> = new Set(["agent", "agents", "proxy", "workload-api"]);
const idLengthMax = 256;
const kindLengthMax = Math.max(...laggardKinds.map(({ length }) => length));
/** A SPIFFE ID has at most 2048 bytes (SPIFFE-ID 2.3). */
export const laggardNameLengthMax: number = kindLengthMax + idLengthMax + 2_048 + 2;

/** `KIND/ID@SPIFFE_ID` of what is somebody's, `KIND/ID` else. */
export function laggardName(kind: LaggardKind, id: string, spiffeId: string): string {
  const name = `${kind}/${escaped(id)}`;
  return ownedKinds.has(kind) ? `${name}@${spiffeId}` : name;
}

/** What the server itself does not know is nobody's to waive. */
export function isWaivable(name: string): boolean {
  const kind = laggardKinds.find((each) => name.startsWith(`${each}/`));
  if (kind === undefined || kind === "server") return false;
  return name.length <= laggardNameLengthMax && /^[\x21-\x7e]+$/.test(name);
}

/** As in a URI (RFC 3986 2.1); `@` and `*` too, which mean something to whoever reads names and selectors. */
function escaped(id: string): string {
  const text = id.replaceAll(/[^\x21-\x7e]|[%@*]/gu, (character) =>
    Array.from(Buffer.from(character), (octet) => `%${octet.toString(16).padStart(2, "0")}`).join(
      "",
    ),
  );
  if (text.length <= idLengthMax) return text;
  // Nothing that is escaped has two of them in a row.
  const digest = `%%${hash("sha256", id, "hex")}`;
  return `${text.slice(0, idLengthMax - digest.length)}${digest}`;
}
