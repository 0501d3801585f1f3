/**
 * The server's transparency log, opened: under a key of its own, never begun anew where there was one, never behind what
 * `portcullis.db` has seen of it, and with every intent of an earlier life closed.
 */

import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { openCheckpoint, logOrigin } from "../../../core/log/checkpoint.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { ResultEntry } from "../../../core/log/entry.ts";
import { LogError } from "../../../core/log/log-error.ts";
import { noteVerifier } from "../../../core/log/note-key.ts";
import { verifyConsistency } from "../../../core/log/proof-check.ts";
import type { TrustDomain } from "../../../core/spiffe/id.ts";
import { LogStore } from "../../../edge/log/log-store.ts";
import type { Store } from "../../../edge/store/store.ts";
import { redoDenials } from "./redo-denials.ts";

export interface OpenedLog {
  readonly log: LogStore;
  /** Signs its checkpoints. */
  readonly publicKey: KeyObject;
  /** Intents of an earlier life that may have been signed. */
  readonly unknown: number;
}

const keyId = "log";

/** @throws LogError, StoreError, PrivateFileError */
export async function openLog(
  store: Store,
  dataDir: string,
  trustDomain: TrustDomain,
  nowMs: number,
): Promise<OpenedLog> {
  const signingKey = store.findKey(keyId) ?? makeKey(store, nowMs);
  const origin = logOrigin(trustDomain.name);
  const seen = store.facts.recall("log-checkpoint");
  const mustExist = seen !== undefined;
  const log = await LogStore.open(dataDir, { origin, signingKey, nowMs, mustExist });
  try {
    const publicKey = createPublicKey(signingKey);
    if (seen !== undefined) {
      const seenSize = assertNotBehind(log, seen, origin, publicKey);
      redoDenials(log, seenSize, store.denials);
    }
    const unknown = await closeOpenIntents(log);
    store.facts.remember("log-checkpoint", log.reader.head().checkpoint);
    return { log, publicKey, unknown };
  } catch (error) {
    await log[Symbol.asyncDispose]();
    throw error;
  }
}

function makeKey(store: Store, nowMs: number): KeyObject {
  const { privateKey } = generateKeyPairSync("ed25519");
  store.keepKey(
    { id: keyId, privateKeyPkcs8: privateKey.export({ format: "der", type: "pkcs8" }) },
    nowMs,
  );
  return privateKey;
}

/** Somebody who copies an old log.db back is found out; both files copied back are for the witnesses. @returns its size then */
function assertNotBehind(
  { reader }: LogStore,
  seen: string,
  origin: string,
  publicKey: KeyObject,
): number {
  const verifiers = [noteVerifier(origin, publicKey)];
  const before = openCheckpoint(seen, verifiers);
  const now = openCheckpoint(reader.head().checkpoint, verifiers);
  const hint = "restore both files from one backup: `portcullis restore`";
  if (now.size < before.size) {
    const message = `expected a log of at least ${before.size} entries, got ${now.size}: log.db is an old one`;
    throw new LogError("log-damaged", message, { hint });
  }
  const proof = reader.consistency(before.size, now.size);
  const sizes = { oldSize: before.size, newSize: now.size };
  try {
    verifyConsistency({ ...sizes, oldRoot: before.root, newRoot: now.root, proof });
  } catch (cause) {
    const message = `the log does not go on from its own first ${before.size} entries`;
    throw new LogError("log-damaged", message, { hint, cause });
  }
  return before.size;
}

/**
 * Until its end, whoever asked may hold what was perhaps signed. At the log's own newest time: the wall clock is not judged
 * yet, and one that is ahead would take the log's time with it for ever.
 */
async function closeOpenIntents({ reader, writer }: LogStore): Promise<number> {
  const last = reader.entry(reader.head().size - 1);
  const timeMs = last === undefined ? 0 : decodeEntry(last).timeMs;
  const results = reader.certificates.open().map(({ intentIndex, intent }): ResultEntry => ({
    kind: "result",
    timeMs,
    intentIndex,
    serial: intent.serial,
    outcome: "unknown",
    certificateDigest: new Uint8Array(),
    reason: "server-ended",
  }));
  if (results.length > 0) await writer.append(results);
  return results.length;
}
