/**
 * A process that records reports of three agents until it is killed, and says which are durable:
 * `node reporting-process.ts DATA_DIR SAID_FILE`. Each report has one connection and ten milliseconds more of coverage.
 */

import { appendFileSync } from "node:fs";
import { EvidenceStore } from "../../src/edge/evidence/evidence-store.ts";
import { coverageOf, EVIDENCE_NOW_MS, memberOf, reportOf, seenOf } from "../support/evidence.ts";

const [, , dataDir = "", saidFile = ""] = process.argv;

async function run(store: EvidenceStore, agent: string, first: number): Promise<never> {
  store.note(memberOf(agent));
  for (let sequence = first; ; sequence++) {
    const atMs = EVIDENCE_NOW_MS + sequence * 10;
    const parts = { proxy: agent, reporter: agent, sequence };
    const seen = [seenOf(atMs)];
    const coverage = [coverageOf(atMs - 10, atMs)];
    await store.report(reportOf({ ...parts, seen, coverage }));
    appendFileSync(saidFile, `${agent} ${sequence}\n`);
  }
}

const { store } = await EvidenceStore.open({
  dataDir,
  retentionMs: () => 604_800_000,
  nowMs: () => EVIDENCE_NOW_MS,
  onFailed: () => process.exit(3),
  onRecovered: () => {},
  onEnded: () => process.exit(4),
  onRefused: () => process.exit(5),
});
process.stdout.write("open\n");
const first = Number(process.argv[4] ?? 1);
await Promise.all(["a", "b", "c"].map((agent) => run(store, agent, first)));
