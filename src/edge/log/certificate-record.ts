/** Rows of the index of certificates, with their entries, as values. */

import type { SQLOutputValue } from "node:sqlite";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry, IntentEntry, ResultEntry } from "../../core/log/entry.ts";
import type { LeafRecord } from "../../core/roll/leaf-record.ts";
import { outcomeNumbers } from "./certificate-writer.ts";

type Row = Record<string, SQLOutputValue>;

/** Anything that was meant to be signed. */
export interface CertificateRecord {
  readonly intentIndex: number;
  readonly intent: IntentEntry;
  /** Undefined while it is open. */
  readonly result: (ResultEntry & { readonly index: number }) | undefined;
}

export function recordOf(row: Row): CertificateRecord {
  const { intent, result, intent_data, result_data } = row;
  return {
    intentIndex: Number(intent),
    intent: entryOf(intent_data, "intent"),
    result:
      result === null ? undefined : { index: Number(result), ...entryOf(result_data, "result") },
  };
}

/** Of one that has not failed. */
export function leafOf({ intent, outcome, intent_data }: Row): LeafRecord {
  const entry = entryOf(intent_data, "intent");
  const { artifact, identity, agent, serial, notAfterMs, root, evidence } = entry;
  const isSigned = outcome === outcomeNumbers.indexOf("signed");
  return {
    identity,
    agent,
    serialHex: Buffer.from(serial).toString("hex"),
    notAfterMs,
    root,
    intentIndex: Number(intent),
    outcome: outcome === null ? "open" : isSigned ? "signed" : "unknown",
    ...(evidence.pod !== "" && { pod: evidence.pod }),
    ...(artifact === "canary" && { isCanary: true }),
  };
}

export function entryOf<Kind extends Entry["kind"]>(
  data: SQLOutputValue | undefined,
  kind: Kind,
): Extract<Entry, { kind: Kind }> {
  const entry = data instanceof Uint8Array ? decodeEntry(data) : undefined;
  if (entry !== undefined && isOf(entry, kind)) return entry;
  throw new RangeError(`expected the entry of a certificate to be its ${kind}`);
}

function isOf<Kind extends Entry["kind"]>(
  entry: Entry,
  kind: Kind,
): entry is Extract<Entry, { kind: Kind }> {
  return entry.kind === kind;
}
