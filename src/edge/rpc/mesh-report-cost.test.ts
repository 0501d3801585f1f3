/** What an evidence report costs the server, from its octets to the roll (issue: 50 us). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { cart, envoy, NOW_MS, present, RollScene } from "../../../test/support/roll-scene.ts";
import { ConnectRequestSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { encodeReport, parseReport } from "./mesh-messages.ts";

test("a sidecar's report is read and taken into a roll of 10,000 in some 10 us", (context) => {
  const scene = new RollScene();
  for (let number = 0; number < 10_000; number++) {
    const reporter = { agentId: `a${number}`, spiffeId: `${cart.spiffeId}-${number % 500}` };
    scene.connect(reporter, [envoy("p1", present)]);
  }
  const report = { sequence: 2n, full: false, proxies: [envoy("p1", present)], gone: [] };
  const message = encodeReport({ ...report, heldRootsDigest: present });
  const octets = toBinary(ConnectRequestSchema, message);
  const take = (number: number): void => {
    const request = fromBinary(ConnectRequestSchema, octets).message;
    assert.ok(request.case === "report");
    const reporter = { agentId: `a${number}`, spiffeId: `${cart.spiffeId}-${number % 500}` };
    scene.roll.report(reporter, parseReport(request.value), NOW_MS);
  };
  for (let number = 0; number < 10_000; number++) take(number);
  const { user, system } = process.cpuUsage();
  for (let number = 0; number < 10_000; number++) take(number);
  const used = process.cpuUsage({ user, system });
  const microseconds = (used.user + used.system) / 10_000;
  context.diagnostic(`${microseconds.toFixed(1)} us`);
  assert.ok(microseconds < 200, `${microseconds} us`);
});
