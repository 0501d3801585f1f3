/** Fills the log of a server that does not run, as fast as its writer takes it: what workloads in Kubernetes would leave. */

import { randomBytes, randomUUID } from "node:crypto";
import { TrustDomain } from "../src/core/spiffe/id.ts";
import type { IntentEntry } from "../src/core/log/entry.ts";
import { Store } from "../src/edge/store/store.ts";
import { openLog } from "../src/app/server/log/open-log.ts";
import { sampleIntent, sampleResult } from "../test/support/log-entries.ts";

const perBatch = 500;
const identities = 10_000;
const lifeMs = 86_400_000;

/** @param certificates that the log has afterwards, at least */
export async function fillLog(dataDir: string, certificates: number): Promise<void> {
  using store = await Store.open(dataDir, "server");
  const opened = await openLog(store, dataDir, TrustDomain.parse("cluster.local"), Date.now());
  await using log = opened.log;
  for (let { size } = log.reader.head(); size < 2 * certificates;) {
    const intents = Array.from({ length: perBatch }, (_, place) => intentOf(size + place));
    const { firstIndex } = await log.writer.append(intents);
    const results = intents.map(({ timeMs, serial }, place) => {
      const certificateDigest = new Uint8Array(randomBytes(32));
      return sampleResult({ timeMs, serial, certificateDigest, intentIndex: firstIndex + place });
    });
    await log.writer.append(results);
    size = firstIndex + 2 * perBatch;
  }
}

function intentOf(number: number): IntentEntry {
  const { evidence } = sampleIntent();
  const timeMs = Date.now();
  const notBeforeMs = Math.floor(timeMs / 1_000) * 1_000;
  return sampleIntent({
    timeMs,
    requestId: randomUUID(),
    identity: `spiffe://cluster.local/ns/team-${number % 50}/sa/service-${number % identities}`,
    serial: randomSerial(),
    notBeforeMs,
    notAfterMs: notBeforeMs + lifeMs,
    keyDigest: new Uint8Array(randomBytes(32)),
    tbsDigest: new Uint8Array(randomBytes(32)),
    root: "4d".repeat(32),
    evidence: { ...evidence, tokenId: randomUUID(), podUid: randomUUID() },
  });
}

/** Its first octet is not zero, as in a certificate. */
function randomSerial(): Uint8Array {
  const serial = new Uint8Array(randomBytes(16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}
