import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { parseHeldLeaves } from "../../edge/rpc/mesh-messages.ts";
import { ConnectRequestSchema, type ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { LeavesReport } from "./leaves-report.ts";

test("says everything first, then what has changed, in messages that the server can take", () => {
  const all = Array.from({ length: 1_200 }, (_, at) => {
    const serialHex = (2n ** 159n + BigInt(at)).toString(16);
    return { serialHex, notAfterMs: 4e12 } as unknown as WorkloadCertificate;
  });
  const report = new LeavesReport();
  const held = new Set<string>();
  const take = (messages: readonly ConnectRequest[]): boolean[] =>
    messages.map((message) => {
      assert(toBinary(ConnectRequestSchema, message).length < 65_536);
      assert(message.message.case === "leaves");
      const { full, held: added, dropped } = parseHeldLeaves(message.message.value);
      if (full) held.clear();
      for (const { serialHex } of added) held.add(serialHex);
      for (const serialHex of dropped) held.delete(serialHex);
      return full;
    });
  const serials = (of: readonly WorkloadCertificate[]) => new Set(of.map((each) => each.serialHex));
  assert.deepEqual(take(report.update([])), [true]);
  assert.deepEqual(take(new LeavesReport().update(all)), [true, false, false]);
  assert.deepEqual(take(report.update(all.slice(0, 700))), [false, false]);
  assert.deepEqual(take(report.update(all.slice(600))), [false, false]);
  assert.deepEqual(held, serials(all.slice(600)));
  assert.deepEqual(take(report.update(all.slice(600))), []);
  assert.deepEqual(take(report.update([])), [false, false]);
  assert.equal(held.size, 0);
});
