import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { pino } from "pino";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { CountedCoverage } from "../../../core/evidence/port-account.ts";
import { policyKey } from "../../../core/policy/policy-report.ts";
import { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import type { CountedConnections } from "./connection-recorder.ts";
import { CoverageMemory } from "./coverage-memory.ts";

const name = { proxyId: "web-0", spiffeId: "spiffe://td.test/ns/a/sa/b" };
const key = policyKey(name);

let own: DisposableStack;
let stateDir: string;
let logged: string[];

beforeEach(() => {
  own = new DisposableStack();
  stateDir = own.use(temporaryDirectory()).path;
  logged = [];
});
afterEach(() => own.dispose());

async function open(): Promise<CoverageMemory> {
  const log = pino({}, { write: (text) => void logged.push(JSON.parse(text).event) });
  return CoverageMemory.open({ stateDir, events: new AgentEvents(log) });
}

function span(port: number, sinceMs: number, untilMs: number, ended: number): CountedCoverage {
  const none = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
  const counts = { endedAtSince: ended, endedAtUntil: ended, meshedAtSince: 3, meshedAtUntil: 3 };
  return { port, sinceMs, untilMs, ...none, ...counts };
}

function told(epochMs: number, ...coverage: CountedCoverage[]): CountedConnections {
  return { ...name, epochMs, seen: [], coverage };
}

/** From when on the next life of the agent covers a port. */
async function sinceOf(epochMs: number, port: number): Promise<number | undefined> {
  const next = await open();
  const life = { epochMs, coverage: [span(port, 9_000, 9_500, 7)] };
  return next.resumed(key)?.goOn(life).coverage[0]?.sinceMs;
}

test("lets the next life of the agent go on with each port where the last one was acknowledged", async () => {
  const memory = await open();
  memory.acknowledged([told(1_000, span(80, 1_000, 4_000, 7), span(90, 1_000, 3_000, 7))]);
  memory.acknowledged([told(1_000, span(80, 4_000, 5_000, 7))]);
  await memory.settled();
  assert.equal(await sinceOf(1_000, 80), 5_000);
  assert.equal(await sinceOf(1_000, 90), 3_000);
  assert.equal(await sinceOf(9_000, 80), 9_000, "another life of the Envoy");
  assert.deepEqual(logged, []);
});

test("remembers the newest life of an Envoy, whatever is acknowledged last", async () => {
  const memory = await open();
  memory.acknowledged([told(9_000, span(80, 9_000, 9_100, 7))]);
  memory.acknowledged([told(1_000, span(80, 1_000, 4_000, 7))]);
  memory.acknowledged([told(9_000, span(80, 9_050, 9_060, 7))]);
  await memory.settled();
  const next = (await open()).resumed(key);
  const life = { epochMs: 9_000, coverage: [span(80, 9_400, 9_500, 7)] };
  assert.equal(next?.goOn(life).coverage[0]?.sinceMs, 9_100);
});

test("goes on over no time that the clock has passed over meanwhile", async () => {
  const memory = await open();
  memory.acknowledged([told(1_000, span(80, 1_000, 4_000, 7))], 60_000.25);
  await memory.settled();
  const life = { epochMs: 1_000, coverage: [span(80, 9_000, 9_500, 7)] };
  const sinceOfOffset = async (offsetMs: number): Promise<number | undefined> => {
    return (await open()).resumed(key)?.goOn(life, offsetMs).coverage[0]?.sinceMs;
  };
  assert.equal(await sinceOfOffset(60_000), 4_000);
  assert.equal(await sinceOfOffset(65_000), 9_000);
  // It is set before the acknowledgement comes.
  memory.acknowledged([told(1_000, span(80, 4_000, 5_000, 7))], 65_000);
  await memory.settled();
  assert.equal(await sinceOfOffset(65_000), 9_000);
  memory.acknowledged([told(1_000, span(80, 6_000, 8_000, 7))], 65_000);
  await memory.settled();
  assert.equal(await sinceOfOffset(65_000), 8_000);
});

test("begins anew where the file is damaged, and says so", async () => {
  writeFileSync(join(stateDir, "connections.json"), '{"version":1,"lives":[["a",{}]]}', {
    mode: 0o600,
  });
  assert.equal((await open()).resumed("a"), undefined);
  assert.deepEqual(logged, ["state-unreadable"]);
});

test("leaves nothing behind when the workload ends", async () => {
  const memory = await open();
  memory.acknowledged([told(1_000, span(80, 1_000, 4_000, 7))]);
  await memory.destroy();
  assert.equal((await open()).resumed(key), undefined);
  assert.deepEqual(logged, []);
});
