/** Who calls whom, from agents' streams into a server's `evidence.db` and over its restarts. */

import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { cpSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { PolicyReport } from "../../src/core/policy/policy-report.ts";
import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import { encodeConnectionReport } from "../../src/edge/rpc/connection-messages.ts";
import { encodePolicyReports } from "../../src/edge/rpc/policy-report-messages.ts";
import type { ConnectResponse } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  eventually,
  scrape,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { coverageOf, seenOf } from "../support/evidence.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { meshIdentity, openMeshStream, type MeshStream } from "./mesh-client.ts";

const runId = "0f".repeat(16);
const policies: PolicyReport = {
  full: true,
  complete: true,
  gone: [],
  proxies: [
    {
      proxyId: "web-0",
      spiffeId: undefined,
      labels: new Map([["app", "web"]]),
      hasListeners: true,
      applied: undefined,
      isUnsure: false,
      nack: undefined,
      draining: new Map(),
      oldConnections: "unobserved",
      assignmentsAnswered: 0,
    },
  ],
};

function reportOf(sequence: number, more: object = {}): ConnectionReport {
  const nowMs = Date.now();
  const seen = [seenOf(nowMs), seenOf(nowMs, { port: 9090, kind: "mtls" })];
  const coverage = [coverageOf(nowMs - 1_000, nowMs, { lostUnmeshed: 2 })];
  const proxy = { proxyId: "web-0", spiffeId: undefined, epochMs: nowMs - 5_000, seen, coverage };
  return { runId, sequence, proxies: [{ ...proxy, ...more }] };
}

type Case = ConnectResponse["message"]["case"];

const answers = (stream: MeshStream, of: Case) =>
  stream.received.map(({ message }) => message).filter((message) => message.case === of);

let server: TestControlPlane;

async function joined(name = "web", wantsPolicy = true): Promise<MeshStream> {
  const stream = openMeshStream(server, await meshIdentity(server, name, 600, name));
  stream.send({ case: "hello", value: { agentId: name, wantsPolicy } });
  await eventually(() => answers(stream, "bundle").length > 0);
  return stream;
}

const send = (stream: MeshStream, report: ConnectionReport): void =>
  stream.send(encodeConnectionReport(report).message);

describe("connections of a mesh", () => {
  beforeEach(async () => {
    server = await startControlPlane();
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
  });

  it("are asked for where policy is, recorded and acknowledged, and counted", async () => {
    using stream = await joined();
    await eventually(() => answers(stream, "collect").length === 1);
    for (const { message } of encodePolicyReports(policies)) stream.send(message);
    send(stream, reportOf(1));
    await eventually(() => answers(stream, "connectionsAck").length === 1);
    send(stream, reportOf(1));
    await eventually(() => answers(stream, "connectionsAck").length === 2);
    const samples = await scrape(server);
    const metrics = [...samples].filter(([name]) => name.startsWith("portcullis_evidence_"));
    assert.deepEqual(Object.fromEntries(metrics.map(([name, value]) => [name.slice(20), value])), {
      'reports_total{result="counted"}': 1,
      'reports_total{result="repeated"}': 1,
      rows_total: 3,
      'lost_connections_total{kind="unmeshed"}': 2,
      writable: 1,
      lag_seconds: 0,
    });
    const file = join(server.config.dataDir, "evidence.db");
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it("are not asked for where no policy is wanted", async () => {
    using stream = await joined("old", false);
    await eventually(() => stream.received.length > 0);
    assert.deepEqual(answers(stream, "collect"), []);
  });

  it("of somebody else end the stream, and nothing of them is recorded", async () => {
    using stream = await joined();
    send(stream, reportOf(1, { spiffeId: "spiffe://cluster.local/ns/shop/sa/other" }));
    assert.equal((await stream.ended).code, status.INVALID_ARGUMENT);
    assert.equal((await scrape(server)).get("portcullis_evidence_rows_total"), 0);
  });

  it("of port 0 say nothing, and the stream goes on", async () => {
    using stream = await joined();
    send(stream, reportOf(1, { seen: [], coverage: [coverageOf(1, 2, { port: 0 })] }));
    await eventually(() => answers(stream, "connectionsAck").length === 1);
    assert.equal((await scrape(server)).get("portcullis_evidence_rows_total"), 0);
  });
});

describe("a server whose evidence.db is damaged", () => {
  it("sets it aside, says so, and serves", async () => {
    await using first = await startControlPlane();
    const { dataDir } = first.config;
    await first.controlPlane[Symbol.asyncDispose]();
    writeFileSync(join(dataDir, "evidence.db"), "no database".repeat(1_000));
    using directory = temporaryDirectory();
    const copy = join(directory.path, "again");
    cpSync(dataDir, copy, { recursive: true });
    await using again = await startControlPlane({ flags: { "data-dir": copy } });
    const said = again.log.find(({ event }) => event === "evidence-set-aside");
    assert.match(String(said?.["path"]), /evidence\.db\.aside-\d{8}T\d{6}Z$/);
    assert.ok(readdirSync(copy).includes("evidence.db"));
    assert.equal((await scrape(again)).get("portcullis_evidence_writable"), 1);
  });
});
