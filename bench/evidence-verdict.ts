/** A verdict over seven days and a million rows, as a server forms it: the file's thread asks, this thread decides. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { ConnectionEvidence } from "../src/app/server/evidence/connection-evidence.ts";
import { FlipConfiguration } from "../src/app/server/flips/flip-configuration.ts";
import { judge } from "../src/app/server/flips/judgement.ts";
import { ResourceSet } from "../src/app/server/policy/resources/resource-set.ts";
import { storedObject } from "../src/app/server/policy/resources/stored-object.ts";
import { PolicyIndex } from "../src/core/policy/policy-index.ts";
import type { SeenConnections } from "../src/core/evidence/connection.ts";
import { evidencePath, openEvidence } from "../src/edge/evidence/evidence-database.ts";
import { EvidenceStore } from "../src/edge/evidence/evidence-store.ts";
import { EvidenceWriter } from "../src/edge/evidence/evidence-writer.ts";
import { parseManifests } from "../src/edge/resources/parse-manifests.ts";
import { coverageOf, HOUR_MS, memberOf, reportOf, seenOf } from "../test/support/evidence.ts";
import { flipPort, shopManifests } from "../test/flips/flips-rig.ts";
import type { Fixture } from "./fixture.ts";
import type { Measure } from "./report.ts";

const hours = 168;
const verdictMsMax = 200;
/** The first is for V8 and for the pages of the file. */
const [warm, rounds] = [1, 5];

/** Three ways to have a million rows: many proxies, a few with very many callers, and very many callers in all, each seen once a day. */
const shapes = [
  { proxies: 100, callers: 60, everyHours: 1 },
  { proxies: 4, callers: 1_500, everyHours: 1 },
  { proxies: 100, callers: 1_500, everyHours: 24 },
] as const;
type Shape = (typeof shapes)[number];

export async function benchVerdict(fixture: Fixture): Promise<readonly Measure[]> {
  const measures: Measure[] = [];
  for (const shape of shapes) measures.push(...(await measure(fixture, shape)));
  return measures;
}

async function measure(
  { directory, progress }: Fixture,
  shape: Shape,
): Promise<readonly Measure[]> {
  const { proxies, callers, everyHours } = shape;
  const name = `verdict over 7 days, ${proxies} proxies, ${callers} callers each`;
  const dataDir = join(directory, `verdict-${proxies}-${callers}`);
  await mkdir(dataDir, { mode: 0o700 });
  const nowMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const beganMs = nowMs - hours * HOUR_MS;
  progress(`${name}: ${((proxies * callers * hours) / everyHours).toLocaleString("en")} rows`);
  fill(dataDir, beganMs, shape);
  await using store = await openStore(dataDir, nowMs);
  const ask = verdictIn(store, beganMs, nowMs, shape);
  const times: number[] = [];
  const delays: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let round = 0; round < warm + rounds; round++) {
    progress(`${name}: ${round}`);
    delay.reset();
    const startMs = performance.now();
    const { verdict } = await ask();
    const tookMs = performance.now() - startMs;
    if (verdict.kind !== "unsafe")
      throw new Error(`expected callers in the way, got ${verdict.kind}`);
    if (round < warm) continue;
    times.push(tookMs);
    delays.push(delay.max / 1e6);
  }
  const bound = { kind: "target", value: verdictMsMax } as const;
  return [
    { name, kind: "latency", runs: times, bound },
    { name: `${name}: longest turn of the loop`, kind: "latency", runs: delays },
  ];
}

/** A tenth of the callers send plaintext. */
function fill(dataDir: string, beganMs: number, { proxies, callers, everyHours }: Shape): void {
  const { database } = openEvidence(evidencePath(dataDir), beganMs);
  const writer = new EvidenceWriter(database);
  const names = Array.from({ length: proxies }, (_, number) => `api-${number}`);
  const named = { atMs: beganMs, labels: '[["app","api"]]' };
  writer.write(
    names.map((name) => memberOf(name, { ...named, name })),
    beganMs,
  );
  let sequence = 0;
  for (let hour = 0; hour < hours; hour += everyHours) {
    const fromMs = beganMs + hour * HOUR_MS;
    const seen = Array.from({ length: callers }, (_, caller) => seenBy(caller, fromMs + 1_000));
    const coverage = [coverageOf(fromMs, fromMs + everyHours * HOUR_MS, { port: flipPort })];
    const reports = names.map((proxy) => {
      sequence += 1;
      return reportOf({ proxy, sequence, seen, coverage, epochMs: beganMs });
    });
    writer.write(reports, fromMs);
  }
  database.close();
}

function seenBy(caller: number, atMs: number): SeenConnections {
  if (caller % 10 === 0) {
    const address = `10.${caller >> 8}.${caller & 255}.1`;
    return seenOf(atMs, { port: flipPort, source: { kind: "address", address } });
  }
  const spiffeId = `spiffe://mesh.test/ns/shop/sa/caller-${caller}`;
  return seenOf(atMs, { port: flipPort, kind: "mtls", source: { kind: "identity", spiffeId } });
}

async function openStore(dataDir: string, nowMs: number): Promise<EvidenceStore> {
  const quiet = (): void => {};
  const { store } = await EvidenceStore.open({
    dataDir,
    retentionMs: () => 2 * hours * HOUR_MS,
    nowMs: () => nowMs,
    onFailed: quiet,
    onRecovered: quiet,
    onEnded: quiet,
    onRefused: quiet,
  });
  return store;
}

function verdictIn(
  store: EvidenceStore,
  createdMs: number,
  nowMs: number,
  { proxies }: Shape,
): () => ReturnType<typeof judge> {
  const names = Array.from({ length: proxies }, (_, number) => `api-${number}`);
  const { objects } = parseManifests(shopManifests(names), "bench");
  const set = new ResourceSet(1, {
    directory: [],
    cluster: [],
    applied: objects.map((each) => storedObject(each)),
  });
  const configuration = new FlipConfiguration(set, "mesh.test");
  const questions = new ConnectionEvidence({
    store,
    createdMs,
    control: { index: new PolicyIndex("mesh.test"), expected: new Map() },
    entryOf: () => undefined,
    entriesIn: () => [],
    trustDomain: "mesh.test",
  });
  const waivers = { of: () => [], namesOf: () => new Set<string>() };
  const target = {
    text: "shop/api",
    namespace: "shop",
    name: "api",
    selector: { app: "api" },
    ports: [],
  };
  const judged = { target, ports: { ports: [], exceptPorts: [] }, brokenCalls: [] };
  const lookBackMs = hours * HOUR_MS;
  const absenceOf = (): undefined => undefined;
  const hasListeners = (): boolean => true;
  const parts = { questions, configuration, waivers, absenceOf, hasListeners, nowMs: () => nowMs };
  return () => judge(parts, { ...judged, lookBackMs });
}
