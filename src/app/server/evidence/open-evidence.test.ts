import assert from "node:assert/strict";
import { it } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { eventually } from "../../../../test/support/control-plane.ts";
import { coverageOf, EVIDENCE_NOW_MS } from "../../../../test/support/evidence.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { PolicyIndex } from "../../../core/policy/policy-index.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { Parts } from "../parts.ts";
import { ResourceSet } from "../policy/resources/resource-set.ts";
import { openConnections } from "./open-evidence.ts";

const trustDomain = "mesh.test";
const spiffeId = `spiffe://${trustDomain}/ns/shop/sa/web`;
const minuteMs = 60_000;

it("a proxy of which only a report tells is over where its evidence ends, and is of no other target", async () => {
  using directory = temporaryDirectory();
  await using owned = new AsyncDisposableStack();
  let now = EVIDENCE_NOW_MS;
  const parts = {
    log: pino({ level: "silent" }),
    metrics: { registry: new Registry() },
    live: { config: { evidenceRetentionSeconds: 86_400 } },
  } as unknown as Parts;
  const resources = new ResourceSet(0, { directory: [], applied: [], cluster: [] });
  const options = { resources, dataDir: directory.path, trustDomain, nowMs: () => now };
  const opened = await openConnections(parts, options, owned);
  assert.ok(opened !== undefined);
  const { intake, watch, evidenceOf } = opened;
  now += 30 * minuteMs;
  const counted = Promise.withResolvers<unknown>();
  owned.use(intake.onCounted(counted.resolve));
  const session = { call: {}, peer: { id: SpiffeId.parse(spiffeId) } } as unknown as Session;
  const sinceMs = EVIDENCE_NOW_MS + 20 * minuteMs;
  const endMs = EVIDENCE_NOW_MS + 25 * minuteMs;
  const told = { proxyId: "w", spiffeId: undefined, epochMs: sinceMs, seen: [] };
  const proxies = [{ ...told, coverage: [coverageOf(sinceMs, endMs)] }];
  intake.take(
    session,
    { spiffeId, agentId: "a" },
    { runId: "ab".repeat(16), sequence: 1, proxies },
  );
  await counted.promise;
  now += minuteMs;
  watch.look(() => false);
  const evidence = evidenceOf({ index: new PolicyIndex(trustDomain), expected: new Map() });
  const members = () => evidence.membersOf("shop", new Map(), EVIDENCE_NOW_MS);
  await eventually(async () => (await members())[0]?.goneMs === endMs);
  assert.deepEqual(await evidence.membersOf("shop", new Map([["app", "api"]]), 0), []);
});
