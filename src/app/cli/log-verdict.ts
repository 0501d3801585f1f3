/** What `audit verify` has found, for programs and for people. */

import type { Checkpoint } from "../../core/log/checkpoint.ts";
import type { LogAudit } from "../../edge/log/log-audit.ts";
import { formatTable } from "./table.ts";

export type AuditValue = {
  readonly ok: boolean;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  /** Entries that are still there. */
  readonly read: number;
  readonly pruned: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly openIntents: { readonly count: number; readonly first: readonly number[] };
  /** Size of the older checkpoint. */
  readonly since: number | null;
  readonly alarms: readonly {
    readonly index: number;
    readonly kind: string;
    readonly subject: string;
  }[];
  readonly restores: readonly {
    readonly index: number;
    readonly from: number;
    readonly to: number;
  }[];
  /** The signed note, for the next time. */
  readonly checkpoint: string;
  readonly fault: {
    readonly index: number;
    readonly code: string;
    readonly message: string;
  } | null;
};

const OPEN_SHOWN_MAX = 100;

/** An alarm without a proof is an agent's word. Who brings an older checkpoint has seen those before it. */
export function warningsOf(
  { alarms, sinceRestored }: LogAudit,
  since: Checkpoint | undefined,
): readonly string[] {
  const warnings: string[] = [];
  const newer = alarms.filter(({ index }) => index >= (since?.size ?? 0));
  const [last] = newer.slice(-1);
  if (last !== undefined) {
    const { index, kind, subject } = last;
    const count = `${newer.length} alarms that prove nothing against this log`;
    warnings.push(`${count}; the last is entry ${index}, ${kind} by ${subject}`);
  }
  if (sinceRestored !== undefined) {
    const { index, from, to } = sinceRestored;
    warnings.push(
      `the log was restored (entry ${index}): its old entries ${from} to ${to - 1} are lost`,
    );
  }
  return warnings;
}

export function auditValue(
  { checkpoint, note, summary, alarms, restores, fault }: LogAudit,
  since: Checkpoint | undefined,
): AuditValue {
  const { counts, openIntents, skipped } = summary;
  return {
    ok: fault === undefined,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: Buffer.from(checkpoint.root).toString("base64"),
    read: counts.intent + counts.result + counts.refusals + counts.event,
    pruned: skipped.reduce((sum, { start, end }) => sum + end - start, 0),
    counts: { ...counts },
    openIntents: { count: openIntents.length, first: openIntents.slice(0, OPEN_SHOWN_MAX) },
    since: since?.size ?? null,
    alarms: alarms.map(({ index, kind, subject }) => ({ index, kind, subject })),
    restores: restores.map(({ index, from, to }) => ({ index, from, to })),
    checkpoint: note,
    fault: fault === undefined ? null : { ...fault },
  };
}

export function verdictTable(value: AuditValue): string {
  const { counts, openIntents, since, fault } = value;
  return formatTable(
    [{ header: "field" }, { header: "log" }],
    [
      ["origin", value.origin],
      ["verdict", value.ok ? "good" : `bad from entry ${fault?.index} on`],
      ["size", String(value.size)],
      ["root", value.root],
      ["goes on from", since === null ? "" : String(since)],
      ["entries read", String(value.read)],
      ["pruned", String(value.pruned)],
      ...Object.entries(counts).map(([kind, count]) => [kind, String(count)]),
      ["alarms", String(value.alarms.length)],
      ["restores", String(value.restores.length)],
      ["open intents", String(openIntents.count)],
      ["open, first", openIntents.first.slice(0, 5).join(" ")],
    ],
    { colour: false },
  );
}
