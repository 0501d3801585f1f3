/** Reads copies of both databases through, as they came out of a backup, and says what is in them. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { BackupError } from "../../core/backup/backup-error.ts";
import type { BackupManifest } from "../../core/backup/backup-manifest.ts";
import { isInForce } from "../../core/deny/denial.ts";
import { PortcullisError } from "../../core/error.ts";
import type { Checkpoint } from "../../core/log/checkpoint.ts";
import { parseVerifierKey, type NoteVerifier } from "../../core/log/note-key.ts";
import { bundleOf, type TrustState } from "../../core/trust/trust-state.ts";
import { auditSteps, type LogAudit } from "../log/log-audit.ts";
import { StoredDenials } from "../store/denials.ts";
import { migrations } from "../store/migrations.ts";
import { readTrustState } from "../store/trust-table.ts";
import { countCertificates, type CertificateCounts } from "./certificate-counts.ts";

export interface BackupContents extends CertificateCounts {
  readonly manifest: BackupManifest;
  readonly verifier: NoteVerifier;
  /** Of the log. */
  readonly checkpoint: Checkpoint;
  readonly roots: readonly Uint8Array[];
  /** In force. */
  readonly denials: number;
}

export interface ContentsOptions {
  readonly directory: string;
  readonly manifest: BackupManifest;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** @throws BackupError `backup-contents-wrong` unless both are whole, and what the manifest says */
export async function checkContents(options: ContentsOptions): Promise<BackupContents> {
  const { directory, manifest, nowMs } = options;
  const store = orWrong(() => readStore(join(directory, "portcullis.db"), nowMs));
  const { trustDomain, epoch } = store.state;
  expectSame("trust domain", manifest.trustDomain, trustDomain.name);
  expectSame("epoch", manifest.epoch, epoch);
  const verifier = orWrong(() => parseVerifierKey(manifest.log.key));
  const { checkpoint, note, fault } = await audit(options, verifier);
  if (fault !== undefined) throw wrong(`entry ${fault.index} of the log: ${fault.message}`);
  expectSame("checkpoint", manifest.log.checkpoint, note);
  expectSame("size of the log", manifest.log.size, checkpoint.size);
  return {
    manifest,
    verifier,
    checkpoint,
    roots: bundleOf(store.state).roots,
    denials: store.denials,
    ...orWrong(() => countCertificates(directory, manifest.createdAtMs, nowMs)),
  };
}

interface StoreContents {
  readonly state: TrustState;
  readonly denials: number;
}

function readStore(path: string, nowMs: number): StoreContents {
  using database = new DatabaseSync(path, { readOnly: true });
  const check = database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
  if (check !== "ok") throw new Error(`portcullis.db: ${String(check)}`);
  const state = readTrustState(database);
  if (state === undefined) throw new Error("portcullis.db has no trust state");
  const schema = database.prepare("PRAGMA user_version").get()?.["user_version"];
  // One of an older version gets its deny list when a server is started on it.
  const list = schema === migrations.length ? new StoredDenials(path, database).load() : undefined;
  const denials = list?.denials.filter((denial) => isInForce(denial, nowMs)).length ?? 0;
  return { state, denials };
}

/** A signal is heard between its steps. */
async function audit(
  { directory, signal }: ContentsOptions,
  verifier: NoteVerifier,
): Promise<LogAudit> {
  const steps = auditSteps(directory, { verifiers: [verifier] });
  for (;;) {
    const step = orWrong(() => steps.next());
    if (step.done === true) return step.value;
    await setImmediate();
    signal.throwIfAborted();
  }
}

function expectSame(what: string, expected: string | number, got: string | number): void {
  if (expected !== got) throw wrong(`expected the ${what} ${expected}, got ${got}`);
}

function orWrong<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function wrong(reason: string, cause?: unknown): BackupError {
  const hint = cause instanceof PortcullisError ? cause.hint : undefined;
  return new BackupError("backup-contents-wrong", `what is in the backup is damaged: ${reason}`, {
    cause,
    hint: hint ?? "take an older backup; the directory that it was made of may be damaged, too",
  });
}
