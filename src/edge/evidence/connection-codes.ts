/** Kinds of connections and of their sources as numbers: a row of `evidence.db` has no room for words. */

import type { ConnectionKind, Source } from "../../core/evidence/connection.ts";

const kinds: readonly ConnectionKind[] = ["mtls", "tls", "passthrough", "plaintext"];
const sources: readonly Source["kind"][] = ["others", "identity", "address"];

export const mtlsNumber = 0;

export function kindNumber(kind: ConnectionKind): number {
  return kinds.indexOf(kind);
}

export function kindOf(number: unknown): ConnectionKind {
  return kinds[Number(number)] ?? "plaintext";
}

/** 0 for others. */
export function sourceNumber({ kind }: Source): number {
  return sources.indexOf(kind);
}

/** Empty for others. */
export function sourceName(source: Source): string {
  if (source.kind === "identity") return source.spiffeId;
  return source.kind === "address" ? source.address : "";
}

export function sourceOf(number: unknown, name: unknown): Source {
  const kind = sources[Number(number)];
  if (kind === "identity") return { kind, spiffeId: String(name) };
  return kind === "address" ? { kind, address: String(name) } : { kind: "others" };
}
