/** A transparency log in a directory of its own, with certificates in it. */

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { auditLog, type LogAudit } from "../../src/edge/log/log-audit.ts";
import { LogStore, type LogStoreOptions } from "../../src/edge/log/log-store.ts";
import { noteVerifier, type NoteVerifier } from "../../src/core/log/note-key.ts";
import { LOG_NOW_MS, sampleIntent, sampleResult, serialOf } from "./log-entries.ts";

export const logOrigin = "cluster.local/portcullis/log";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
export const logKey: KeyObject = privateKey;
export const logVerifier: NoteVerifier = noteVerifier(logOrigin, publicKey);

export function openStore(
  dataDir: string,
  options: Partial<LogStoreOptions> = {},
): Promise<LogStore> {
  return LogStore.open(dataDir, {
    origin: logOrigin,
    signingKey: logKey,
    nowMs: LOG_NOW_MS,
    mustExist: false,
    ...options,
  });
}

/** Intents and results of `count` certificates with serials from `first` on; each lives for a day. */
export async function addCertificates(
  { writer }: LogStore,
  first: number,
  count: number,
  timeMs: number = LOG_NOW_MS,
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  const intents = numbers.map((number) =>
    sampleIntent({
      timeMs,
      serial: serialOf(number),
      identity: `spiffe://cluster.local/ns/default/sa/web-${number % 100}`,
      notAfterMs: timeMs + 86_400_000,
    }),
  );
  const { firstIndex } = await writer.append(intents);
  await writer.append(
    intents.map(({ serial }, index) =>
      sampleResult({ timeMs, serial, intentIndex: firstIndex + index }),
    ),
  );
}

export function auditOf(dataDir: string): LogAudit {
  return auditLog(dataDir, [logVerifier]);
}
