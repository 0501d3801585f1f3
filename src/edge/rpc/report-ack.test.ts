import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { ConnectResponseSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { encodeReportAck } from "./report-ack.ts";

test("an acknowledgement has the octets of the generated code", () => {
  const sequences = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
  const names = fc.array(fc.string({ maxLength: 30, unit: "grapheme" }), { maxLength: 3 });
  fc.assert(
    fc.property(sequences, names, (sequence, unproven) => {
      const { octets } = encodeReportAck(sequence, unproven);
      assert.deepEqual(Uint8Array.from(octets), generated(sequence, unproven));
    }),
  );
  for (const bits of [7n, 8n, 14n, 63n, 64n]) {
    const { octets } = encodeReportAck(2n ** bits - 1n);
    assert.deepEqual(Uint8Array.from(octets), generated(2n ** bits - 1n, []));
  }
});

test("an acknowledgement of 0 means 0: only the generated code leaves it out", () => {
  const { message } = fromBinary(ConnectResponseSchema, encodeReportAck(0n).octets);
  assert.ok(message.case === "reportAck");
  assert.equal(message.value.sequence, 0n);
});

function generated(sequence: bigint, unproven: string[]): Uint8Array {
  const value = { sequence, unproven };
  const message = create(ConnectResponseSchema, { message: { case: "reportAck", value } });
  return toBinary(ConnectResponseSchema, message);
}
