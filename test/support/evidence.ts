/** Reports of connections and an `evidence.db` for them, without a thread. */

import type { DatabaseSync } from "node:sqlite";
import type { PortCoverage, SeenConnections } from "../../src/core/evidence/connection.ts";
import type {
  EvidenceChange,
  MemberChange,
  ReportChange,
} from "../../src/edge/evidence/evidence-change.ts";
import { evidencePath, openEvidence } from "../../src/edge/evidence/evidence-database.ts";
import { EvidencePruner } from "../../src/edge/evidence/evidence-pruner.ts";
import type { StoredMember, StoredSeen } from "../../src/edge/evidence/evidence-question.ts";
import { EvidenceReader } from "../../src/edge/evidence/evidence-reader.ts";
import { EvidenceWriter } from "../../src/edge/evidence/evidence-writer.ts";
import type { MemberSpan } from "../../src/core/evidence/member.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** The beginning of an hour. */
export const EVIDENCE_NOW_MS = 1_795_521_600_000;
export const HOUR_MS = 3_600_000;

export function memberOf(proxy: string, more: Partial<MemberChange> = {}): MemberChange {
  const spiffeId = "spiffe://mesh.test/ns/shop/sa/web";
  const named = { reporter: "agent", spiffeId, namespace: "shop", name: proxy };
  const labels = '[["app","web"]]';
  return { kind: "member", proxy, ...named, labels, atMs: EVIDENCE_NOW_MS, ...more };
}

export function seenOf(atMs: number, more: Partial<SeenConnections> = {}): SeenConnections {
  const source = { kind: "address", address: "10.0.0.1" } as const;
  const rest = { port: 8080, kind: "plaintext", isRefused: false, source, count: 1 } as const;
  return { ...rest, firstMs: atMs, lastMs: atMs, claim: "", ...more };
}

export function coverageOf(
  sinceMs: number,
  untilMs: number,
  more: Partial<PortCoverage> = {},
): PortCoverage {
  const lost = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
  return { port: 8080, sinceMs, untilMs, ...lost, ...more };
}

export interface ReportParts {
  readonly proxy: string;
  readonly sequence: number;
  readonly runId?: string;
  readonly reporter?: string;
  readonly epochMs?: number;
  readonly seen?: readonly SeenConnections[];
  readonly coverage?: readonly PortCoverage[];
}

export function reportOf(parts: ReportParts): ReportChange {
  const { proxy, sequence, epochMs = EVIDENCE_NOW_MS, seen = [], coverage = [] } = parts;
  const { runId = "ab".repeat(16), reporter = "agent" } = parts;
  const proxies = [{ proxy, epochMs, seen, coverage }];
  const named = { reporter, runId, sequence, atMs: EVIDENCE_NOW_MS, unproven: [] };
  return { kind: "report", ...named, proxies };
}

export class EvidenceScene implements Disposable {
  readonly database: DatabaseSync;
  readonly writer: EvidenceWriter;
  readonly reader: EvidenceReader;
  readonly #directory = temporaryDirectory();

  constructor(createdMs: number = EVIDENCE_NOW_MS) {
    ({ database: this.database } = openEvidence(evidencePath(this.#directory.path), createdMs));
    this.writer = new EvidenceWriter(this.database);
    this.reader = new EvidenceReader(this.database);
  }

  write(...changes: readonly EvidenceChange[]): void {
    this.writer.write(changes, EVIDENCE_NOW_MS);
  }

  /** Whatever their labels are, unless they are given. */
  members(sinceMs = 0, selector: Readonly<Record<string, string>> = {}): readonly StoredMember[] {
    const labels = new Map(Object.entries(selector));
    const question = { kind: "members", namespace: "shop", selector: labels, sinceMs } as const;
    return this.reader.answer(question) as readonly StoredMember[];
  }

  seen(sinceMs = 0, keys: readonly string[] = this.keys()): readonly StoredSeen[] {
    const question = { kind: "seen", members: keys, ports: undefined } as const;
    const answer = this.reader.answer({ ...question, sinceMs, isRefusedOnly: false });
    return answer as readonly StoredSeen[];
  }

  spans(sinceMs = 0): readonly MemberSpan[] {
    const answer = this.reader.answer({ kind: "spans", members: this.keys(), sinceMs });
    return answer as readonly MemberSpan[];
  }

  keys(): readonly string[] {
    return this.members().map(({ key }) => key);
  }

  prune(beforeMs: number): void {
    const pruner = new EvidencePruner(this.database);
    while (pruner.prune(beforeMs));
    this.writer.forget();
  }

  [Symbol.dispose](): void {
    this.database.close();
    this.#directory[Symbol.dispose]();
  }
}
