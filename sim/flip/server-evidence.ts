/**
 * Evidence in a simulated process of the server: production's members, addresses, writer and reader, with a database in memory. What
 * waits is written together, and acknowledged then; it takes the steps of `connection-intake.ts` and `evidence-store.ts` in their order.
 */

import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import type { ResourceName, ResourceRef } from "../../src/core/resources/resource.ts";
import type { Reporter } from "../../src/core/roll/evidence.ts";
import { agentKey } from "../../src/core/roll/leaf-owners.ts";
import { EvidenceMembers } from "../../src/app/server/evidence/evidence-members.ts";
import { withinTime } from "../../src/app/server/evidence/report-times.ts";
import { WorkloadAddresses } from "../../src/app/server/evidence/workload-addresses.ts";
import { placeOfEntry, type WorkloadPlace } from "../../src/app/server/evidence/workload-places.ts";
import type { EvidenceChange, ReportedProxy } from "../../src/edge/evidence/evidence-change.ts";
import type {
  EvidenceAnswers,
  EvidenceQuestion,
} from "../../src/edge/evidence/evidence-question.ts";
import { EvidenceStoreError } from "../../src/edge/evidence/evidence-error.ts";
import { EvidenceReader } from "../../src/edge/evidence/evidence-reader.ts";
import { addressSpanOf, memberOf } from "../../src/edge/evidence/evidence-rows.ts";
import { EvidenceWriter } from "../../src/edge/evidence/evidence-writer.ts";
import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import { entryIn, type Disk } from "./disk.ts";
import { namespace, trustDomain } from "./mesh-objects.ts";

export interface ServerEvidenceOptions {
  readonly disk: Disk;
  readonly nowMs: () => number;
  /** What waits is to be written, soon. */
  readonly onWaiting: () => void;
}

type EntryOf = ConstructorParameters<typeof EvidenceMembers>[0]["entryOf"];

interface Waiting {
  readonly change: EvidenceChange;
  readonly onDurable: (unproven: readonly string[]) => void;
}

const retentionMs = 3_600_000;

export class ServerEvidence {
  readonly #options: ServerEvidenceOptions;
  readonly #writer: EvidenceWriter;
  readonly #reader: EvidenceReader;
  readonly members: EvidenceMembers;
  readonly addresses: WorkloadAddresses;
  readonly createdMs: number;
  #waiting: Waiting[] = [];

  constructor(options: ServerEvidenceOptions) {
    this.#options = options;
    const { disk, nowMs } = options;
    const { evidence: database } = disk;
    const entryOf: EntryOf = (namespace, name) => entryIn(disk, { namespace, name });
    const left = leftIn(disk);
    this.createdMs = left.createdMs;
    this.#writer = new EvidenceWriter(database);
    this.#reader = new EvidenceReader(database);
    const note = (change: EvidenceChange): void => this.#add({ change, onDurable: () => {} });
    const onPresence = (namespace: string, name: string): void =>
      this.addresses?.changed({ namespace, name });
    const placeOf = (name: ResourceName): WorkloadPlace | undefined => {
      const entry = entryOf(name.namespace, name.name);
      return entry && placeOfEntry(entry);
    };
    const isThere: EvidenceMembers["isThere"] = (...of) => this.members.isThere(...of);
    this.members = new EvidenceMembers({ note, entryOf, onPresence, nowMs }, left.members);
    this.addresses = new WorkloadAddresses(
      { trustDomain, note, placeOf, isThere, nowMs },
      left.addresses,
      left.knownMs,
    );
  }

  /** An object has come, gone or changed. */
  changed({ kind, name }: ResourceRef): void {
    if (kind !== "WorkloadEntry") return;
    this.members.entryChanged(namespace, name);
    this.addresses.changed({ namespace, name });
  }

  /** @param reporter speaks for itself alone */
  take(reporter: Reporter, report: ConnectionReport, onAck: (ack: ConnectionAck) => void): void {
    const nowMs = this.#options.nowMs();
    const { runId, sequence } = report;
    const proxies = report.proxies.flatMap((each): ReportedProxy[] => {
      const proxy = this.members.reported(reporter, reporter.spiffeId, each.proxyId);
      if (proxy === undefined) return [];
      const times = { oldestMs: nowMs - retentionMs, nowMs };
      const { epochMs, seen, coverage } = withinTime(each, times);
      return [{ proxy, epochMs, seen, coverage }];
    });
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    const named = { reporter: agent, runId, sequence, atMs: nowMs };
    this.#add({
      change: { kind: "report", ...named, unproven: [], proxies },
      onDurable: (unproven) => onAck({ runId, sequence, unproven }),
    });
  }

  /** @throws crash */
  write(): void {
    const { disk, nowMs } = this.#options;
    const waiting = this.#waiting;
    this.#waiting = [];
    const changes = waiting.map(({ change }) => change);
    const outcomes = disk.write("evidence", () => this.#writer.write(changes, nowMs()));
    for (const [at, { onDurable }] of waiting.entries()) onDurable(outcomes[at]?.unproven ?? []);
  }

  /** @throws EvidenceStoreError */
  ask<Q extends EvidenceQuestion>(question: Q): EvidenceAnswers[Q["kind"]] {
    if (this.#options.disk.blindSinceMs !== undefined)
      throw new EvidenceStoreError("evidence-unreadable", "expected an answer, got none");
    // The reader answers what was asked.
    return this.#reader.answer(question) as EvidenceAnswers[Q["kind"]];
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#options.onWaiting();
  }
}

/** As `evidence-file.ts` reads it. */
function leftIn({ evidence }: Disk) {
  const meta = evidence.prepare("SELECT created_ms, known_ms FROM meta").get();
  const members = evidence.prepare("SELECT * FROM members WHERE gone_ms IS NULL").all();
  const addresses = evidence.prepare("SELECT * FROM addresses WHERE until_ms IS NULL").all();
  return {
    createdMs: Number(meta?.["created_ms"]),
    knownMs: Number(meta?.["known_ms"]),
    members: members.map((row) => ({ ...memberOf(row), reporter: String(row["reporter"]) })),
    addresses: addresses.map(addressSpanOf),
  };
}
