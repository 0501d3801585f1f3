/**
 * A process that writes a log, and to a file what is durable, a line for each entry:
 * `node writing-process.ts DATA_DIR KEY_FILE SAID_FILE`. Each round is 100 certificates, a request for each, and every
 * third forgets the rounds before.
 */

import { createPrivateKey } from "node:crypto";
import { openSync, readFileSync, writeSync } from "node:fs";
import type { IntentEntry } from "../../src/core/log/entry.ts";
import { LogStore } from "../../src/edge/log/log-store.ts";

const rounds = 100;
const [dataDir = "", keyFile = "", saidFile = ""] = process.argv.slice(2);
const said = openSync(saidFile, "w");
const digest = new Uint8Array(32).fill(1);
const startMs = 1_790_000_000_000;

function intentOf(timeMs: number, serial: Uint8Array): IntentEntry {
  return {
    kind: "intent",
    timeMs,
    artifact: "workload",
    requestId: "",
    identity: "spiffe://cluster.local/ns/default/sa/web",
    authority: "01",
    serial,
    notBeforeMs: timeMs,
    notAfterMs: timeMs + 1_000,
    keyDigest: digest,
    tbsDigest: digest,
    evidence: {
      method: "server",
      issuer: "",
      tokenId: "",
      namespace: "",
      pod: "",
      podUid: "",
      node: "",
      address: "",
    },
    root: "",
    agent: "",
  };
}

await using store = await LogStore.open(dataDir, {
  origin: "cluster.local/portcullis/log",
  signingKey: createPrivateKey(readFileSync(keyFile)),
  nowMs: startMs,
  mustExist: false,
});
const { writer, reader } = store;
const { size } = reader.head();
process.stdout.write("opened\n");

async function issue(timeMs: number, number: number): Promise<void> {
  const serial = Buffer.from(`serial ${size}/${number}`.padEnd(20).slice(0, 20));
  const { firstIndex: intentIndex } = await writer.append([intentOf(timeMs, serial)]);
  writeSync(said, `intent ${intentIndex} ${serial.toString("hex")}\n`);
  const { firstIndex } = await writer.append([
    {
      kind: "result",
      timeMs,
      intentIndex,
      serial,
      outcome: "signed",
      certificateDigest: digest,
      reason: "",
    },
  ]);
  writeSync(said, `result ${firstIndex} ${serial.toString("hex")}\n`);
}

for (let round = 0; round < rounds; round++) {
  const timeMs = startMs + round * 1_000;
  const numbers = Array.from({ length: 100 }, (_, index) => round * 100 + index);
  await Promise.all(numbers.map((number) => issue(timeMs, number)));
  if (round % 3 === 2) await writer.prune(timeMs, timeMs);
}
