/** The opened file, as the thread has it: what it is told and asked, and what comes of a failure. */

import type { DatabaseSync } from "node:sqlite";
import { isCorrupt } from "../log/log-failure.ts";
import type { ChangeOutcome, EvidenceChange } from "./evidence-change.ts";
import { hasAside, openEvidence, setAside, type OpenedEvidence } from "./evidence-database.ts";
import { EvidenceStoreError, unwritable } from "./evidence-error.ts";
import {
  encodeError,
  type EvidenceThreadData,
  type FromEvidenceThread,
  type OpenedFile,
  type ToEvidenceThread,
  type WireError,
} from "./evidence-protocol.ts";
import { EvidencePruner } from "./evidence-pruner.ts";
import { EvidenceReader } from "./evidence-reader.ts";
import { addressSpanOf, memberOf } from "./evidence-rows.ts";
import { IdentityShares } from "./identity-shares.ts";
import { EvidenceWriter } from "./evidence-writer.ts";

export class EvidenceFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #shares = new IdentityShares();
  readonly #writer: EvidenceWriter;
  readonly #reader: EvidenceReader;
  readonly #pruner: EvidencePruner;
  #nowMs: number;

  /** As the last life of the server has left it. */
  readonly left: OpenedFile;

  /** @throws EvidenceStoreError, as `openEvidence` does */
  constructor({ path, nowMs }: EvidenceThreadData) {
    const { database, aside, left } = openWhole(path, nowMs);
    this.#path = path;
    this.#nowMs = nowMs;
    this.#database = database;
    this.#writer = new EvidenceWriter(database, this.#shares);
    this.#reader = new EvidenceReader(database);
    this.#pruner = new EvidencePruner(database, this.#shares);
    this.left = { aside, isAnew: hasAside(path), ...left };
  }

  get isClosed(): boolean {
    return !this.#database.isOpen;
  }

  obey(message: Exclude<ToEvidenceThread, { kind: "close" }>): FromEvidenceThread {
    try {
      return this.#obey(message);
    } catch (error) {
      const failure = isCorrupt(error) ? this.#damaged(error) : unwritable(this.#path, error);
      return { kind: "failed", error: encodeError(failure ?? error) };
    }
  }

  close(): FromEvidenceThread {
    this.#database.close();
    return { kind: "closed" };
  }

  #obey(message: Exclude<ToEvidenceThread, { kind: "close" }>): FromEvidenceThread {
    switch (message.kind) {
      case "write":
        this.#nowMs = message.atMs;
        return this.#written(message.changes, message.atMs);
      case "ask":
        return { kind: "answered", answer: this.#reader.answer(message.question) };
      case "prune": {
        const hasMore = this.#pruner.prune(message.beforeMs);
        this.#writer.forget();
        return { kind: "pruned", hasMore };
      }
      default:
        return message satisfies never;
    }
  }

  #written(changes: readonly EvidenceChange[], atMs: number): FromEvidenceThread {
    const outcomes = this.#write(changes, atMs);
    return { kind: "written", outcomes, bounded: this.#shares.takeBounded() };
  }

  /** Together, unless one of them is wrong: then each alone, so that it fails alone. */
  #write(changes: readonly EvidenceChange[], atMs: number): readonly (ChangeOutcome | WireError)[] {
    try {
      return this.#writer.write(changes, atMs);
    } catch (error) {
      if (isCorrupt(error) || unwritable(this.#path, error) !== undefined) throw error;
    }
    return changes.map((change) => {
      try {
        return this.#writer.write([change], atMs)[0];
      } catch (error) {
        if (isCorrupt(error) || unwritable(this.#path, error) !== undefined) throw error;
        return encodeError(error);
      }
    });
  }

  /** Damage is found where it is read: the next start would open the same file. */
  #damaged(cause: Error): EvidenceStoreError {
    this.#database.close();
    const aside = setAside(this.#path, this.#nowMs);
    const message = `evidence.db is damaged (${cause.message}), and was set aside as ${aside}`;
    const hint = "restart the server: it begins a new one, and then nothing is covered before";
    return new EvidenceStoreError("evidence-ended", message, { cause, hint });
  }
}

interface WholeEvidence extends OpenedEvidence {
  readonly left: Left;
}

type Left = Omit<OpenedFile, "aside" | "isAnew">;

/** One that can be opened may be damaged where it is read first. */
function openWhole(path: string, nowMs: number): WholeEvidence {
  const opened = openEvidence(path, nowMs);
  try {
    return { ...opened, left: leftIn(opened.database) };
  } catch (error) {
    opened.database.close();
    if (!isCorrupt(error)) throw error;
    const aside = { path: setAside(path, nowMs), reason: error.message };
    const { database } = openEvidence(path, nowMs);
    return { database, aside, left: leftIn(database) };
  }
}

function leftIn(database: DatabaseSync): Left {
  const meta = database.prepare("SELECT created_ms, known_ms FROM meta").get();
  const members = database.prepare("SELECT * FROM members WHERE gone_ms IS NULL").all();
  const addresses = database.prepare("SELECT * FROM addresses WHERE until_ms IS NULL").all();
  return {
    createdMs: Number(meta?.["created_ms"]),
    knownMs: Number(meta?.["known_ms"]),
    members: members.map((row) => ({ ...memberOf(row), reporter: String(row["reporter"]) })),
    addresses: addresses.map(addressSpanOf),
  };
}
