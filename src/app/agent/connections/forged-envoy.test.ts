/** A workload says of its own Envoy what it likes; the report that has it has what all others of the node say, too. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ToldEnvoy } from "../../../../test/support/told-envoy.ts";
import type { ProxyConnections } from "../../../core/evidence/connection.ts";
import {
  encodeConnectionReport,
  parseConnectionReport,
} from "../../../edge/rpc/connection-messages.ts";
import { ConnectRequestSchema } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { ConnectionFeed } from "./connection-feed.ts";

interface Forged {
  readonly uptime?: number;
  readonly beganMs?: number;
  readonly port?: number;
}

const cases: Readonly<Record<string, Forged>> = {
  "an age that is no number": { uptime: NaN },
  "an age below 0": { uptime: -1e15 },
  "an age of 30,000 years": { uptime: 1e12 },
  "a call in the year 10000": { beganMs: 253_402_300_800_000 },
  "a call in 300 million years": { beganMs: 9.2e21 },
  "a port that there is none": { port: 99_999 },
};

for (const [what, forged] of Object.entries(cases)) {
  test(`tells what other Envoys have seen whatever one makes up: ${what}`, () => {
    const told = throughWire(forged).find(({ proxyId }) => proxyId === "good");
    assert.deepEqual(
      told?.seen.map(({ source }) => source),
      [{ kind: "address", address: "10.9.9.9" }],
    );
    assert.equal(told.coverage.length, 1);
  });
}

/** @returns what the server hears */
function throughWire({ uptime = 1, beganMs, port = 80 }: Forged): readonly ProxyConnections[] {
  let nowMs = 1_000_000_000;
  const feed = new ConnectionFeed({ nowMs: () => nowMs, resumed: () => undefined });
  const openOf = (proxyId: string) => () => {
    const name = { proxyId, spiffeId: `spiffe://td.test/ns/a/sa/${proxyId}` };
    return { log: feed.log(name), flushes: feed.observe(name) };
  };
  const good = new ToldEnvoy({ open: openOf("good"), nowMs });
  const evil = new ToldEnvoy({ open: openOf("evil"), nowMs });
  const { flushes } = openOf("evil")();
  good.call("10.9.9.9");
  for (let at = 0; at < 5; at++) {
    nowMs += 1_000;
    good.flush();
    const counter = `listener.inbound_${port}.downstream_cx_destroy`;
    const stats = new Map([
      ["server.uptime", uptime],
      [counter, 0],
    ]);
    flushes.flush({ takenMs: nowMs, stats });
    evil.call("10.0.0.1", 80, beganMs);
  }
  const report = { runId: "ab".repeat(16), sequence: 1, proxies: feed.take() };
  const octets = toBinary(ConnectRequestSchema, encodeConnectionReport(report));
  const { message } = fromBinary(ConnectRequestSchema, octets);
  assert.ok(message.case === "connections");
  return parseConnectionReport(message.value).proxies;
}
