import assert from "node:assert/strict";
import { it } from "node:test";
import { Registry } from "prom-client";
import { EvidenceEvents } from "./evidence-events.ts";
import type { Logger } from "./logger.ts";

it("names an identity of which not all is kept in the log, and never in a label", async () => {
  const lines: unknown[] = [];
  const log = { warn: (fields: unknown) => void lines.push(fields) } as unknown as Logger;
  const registry = new Registry();
  const gauges = { isWritable: () => true, waitingSeconds: () => 0 };
  const events = new EvidenceEvents(log, registry, gauges);
  events.bounded("spiffe://mesh.test/ns/shop/sa/web", "share");
  const identity = "spiffe://mesh.test/ns/shop/sa/web";
  assert.deepEqual(lines, [{ event: "evidence-bounded", identity, bound: "share" }]);
  const metrics = await registry.metrics();
  assert.match(metrics, /portcullis_evidence_bounded_total\{bound="share"\} 1/);
  assert.doesNotMatch(metrics, /spiffe:/);
});
