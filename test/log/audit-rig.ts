/** A log in a directory, and the verbs that read it, at a time of its own. */

import { runVerb as run, type Outcome } from "../server/portcullis-process.ts";
import { LOG_NOW_MS, sampleEvent, sampleIntent, sampleResult } from "../support/log-entries.ts";
import { addCertificates, openStore } from "../support/log-store.ts";

/** Of the certificate that has a failure as its result. */
export const failedSerial: Uint8Array = new Uint8Array(16).fill(0xf1);
/** Of the one that has none. */
export const openSerial: Uint8Array = new Uint8Array(16).fill(0xf2);

export const hexOf = (serial: Uint8Array): string => Buffer.from(serial).toString("hex");

/** 300 signed, one failed, one open; and an event with an escape sequence in it. 606 entries. */
export async function writeLog(dataDir: string): Promise<void> {
  await using store = await openStore(dataDir);
  await addCertificates(store, 0, 300);
  const { firstIndex } = await store.writer.append([
    sampleIntent({ serial: failedSerial, identity: "spiffe://cluster.local/ns/other/sa/db" }),
    sampleIntent({ serial: openSerial, notAfterMs: LOG_NOW_MS + 60_000 }),
  ]);
  await store.writer.append([
    sampleResult({
      intentIndex: firstIndex,
      serial: failedSerial,
      outcome: "failed",
      certificateDigest: new Uint8Array(),
      reason: "signer-failed",
    }),
    sampleEvent({ type: "command", operator: "ann", reason: "\u001b[2J\u009b\u202e" }),
    sampleEvent({ type: "command", operator: "bob", subject: "the last" }),
  ]);
}

/** @param laterMs than the log's entries */
export async function runVerb(
  args: readonly string[],
  laterMs = 0,
): Promise<Pick<Outcome, "status" | "stdout" | "stderr">> {
  return await run(args, LOG_NOW_MS + laterMs - Date.now());
}

/** A verb's output with `-o json`. */
export async function jsonOf<Value>(args: readonly string[], laterMs = 0): Promise<Value> {
  return JSON.parse((await runVerb([...args, "-o", "json"], laterMs)).stdout);
}
