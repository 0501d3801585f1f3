/**
 * Opens the log for its writer: a new one begins with an event of its own, one that is there is checked against its last
 * checkpoint. What cannot be right is refused; it never starts afresh over something that is there.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { openCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import { encodeEntry } from "../../core/log/entry-codec.ts";
import { LogError } from "../../core/log/log-error.ts";
import { encodeVerifierKey, noteSigner, noteVerifier } from "../../core/log/note-key.ts";
import { LogAppender, type LogEnd } from "./log-appender.ts";
import { openForWriting } from "./log-database.ts";
import { lost, unusable } from "./log-failure.ts";

export interface LogOpening {
  readonly path: string;
  /** `<trust domain>/portcullis/log`. */
  readonly origin: string;
  /** Ed25519. */
  readonly signingKey: KeyObject;
  /** The wall clock's: of the first entry of a new log, which has no time of its own yet. */
  readonly nowMs: number;
  readonly mustExist: boolean;
}

export interface OpenedLog {
  readonly database: DatabaseSync;
  readonly appender: LogAppender;
}

/** @throws LogError `log-lost`, `log-newer`, `log-unreadable`, `log-damaged`, `log-key-mismatch`, `log-unwritable` */
export function openLog(opening: LogOpening): OpenedLog {
  const { path, origin, signingKey, mustExist } = opening;
  const database = openForWriting(path, mustExist);
  try {
    const appender = new LogAppender(database, path, noteSigner(origin, signingKey));
    const head = database.prepare("SELECT size, checkpoint FROM head").get();
    const last = database.prepare("SELECT max(idx) AS last FROM entries").get()?.["last"];
    if (head?.["size"] === 0 && last === null) {
      if (mustExist) throw lost(path);
      begin(database, appender, opening);
    } else {
      const checkpoint = expectOurs(String(head?.["checkpoint"]), opening);
      if (last !== checkpoint.size - 1) throw damaged(path, `${checkpoint.size} entries`);
      expectTree(appender, checkpoint, path);
    }
    return { database, appender };
  } catch (error) {
    database.close();
    throw unusable(path, error);
  }
}

function begin(
  database: DatabaseSync,
  appender: LogAppender,
  { origin, signingKey, nowMs }: LogOpening,
): void {
  const verifierKey = encodeVerifierKey(noteVerifier(origin, createPublicKey(signingKey)));
  const started = encodeEntry({
    kind: "event",
    timeMs: nowMs,
    type: "log-started",
    operator: "",
    subject: origin,
    reason: "",
    digest: new Uint8Array(0),
    detail: verifierKey,
  });
  appender.append([started], "log-commit", () => {
    database.prepare("UPDATE head SET verifier_key = ?").run(verifierKey);
  });
}

function expectOurs(note: string, { path, origin, signingKey }: LogOpening): Checkpoint {
  try {
    return openCheckpoint(note, [noteVerifier(origin, createPublicKey(signingKey))]);
  } catch (cause) {
    const isAnothers = cause instanceof LogError && cause.code === "log-note-unverified";
    if (!isAnothers) throw damaged(path, "a signed checkpoint", cause);
    throw new LogError(
      "log-key-mismatch",
      `${path}: expected a checkpoint of ${origin} signed by this server's log key`,
      { cause, hint: "restore log.db and portcullis.db from one and the same backup" },
    );
  }
}

/** The tree is hashed up from the last entries and the roots of full tiles; an audit reads everything. */
function expectTree(appender: LogAppender, { size, root }: Checkpoint, path: string): void {
  const end = stateOf(appender, path);
  if (end.size === size && equalBytes(end.root, root)) return;
  throw damaged(path, "the tree of its last checkpoint");
}

function stateOf(appender: LogAppender, path: string): LogEnd {
  try {
    return appender.state();
  } catch (cause) {
    const isFormat = cause instanceof LogError || cause instanceof RangeError;
    throw isFormat ? damaged(path, "all entries of its last checkpoint", cause) : cause;
  }
}

function damaged(path: string, expected: string, cause?: unknown): LogError {
  return new LogError("log-damaged", `${path}: expected ${expected}, got something else`, {
    cause,
    hint: "restore it from a backup; it is never replaced by a new one",
  });
}
