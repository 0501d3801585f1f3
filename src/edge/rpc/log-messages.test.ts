import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  LogAlarmSchema,
  LogProofSchema,
  type ConnectRequest,
  type ConnectResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  encodeInclusionRequest,
  encodeLogAlarm,
  encodeLogProof,
  parseLogAlarm,
  parseLogProof,
  type LeafAnswer,
  type ShownLog,
} from "./log-messages.ts";
import { MeshMessageError } from "./mesh-fields.ts";
import { encodeHello } from "./mesh-messages.ts";

const octets = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const proof = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 5 });
const proved = fc.record(
  { index: fc.maxSafeNat(), bytes: octets(60), proof },
  { noNullPrototype: true },
);
const serial = octets(20);
const answer: fc.Arbitrary<LeafAnswer> = fc.oneof(
  fc.record(
    { kind: fc.constant("found" as const), serial, intent: proved, result: proved },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constantFrom("missing" as const, "foreign" as const), serial },
    { noNullPrototype: true },
  ),
);
const shown: fc.Arbitrary<ShownLog> = fc.record(
  {
    claim: fc.record(
      {
        note: fc.string(),
        verifierKey: fc.string(),
        fromSize: fc.maxSafeNat(),
        consistency: proof,
        restored: proved,
      },
      {
        requiredKeys: ["note", "verifierKey", "fromSize", "consistency"],
        noNullPrototype: true,
      },
    ),
    answers: fc.array(answer, { maxLength: 4 }),
  },
  { noNullPrototype: true },
);

describe("the log on the mesh stream", () => {
  it("arrives as it was shown", () => {
    fc.assert(
      fc.property(shown, (each) => {
        const { message } = overWireDown(encodeLogProof(each));
        assert.equal(message.case, "logProof");
        assert.deepEqual(parseLogProof(message.value), each);
      }),
    );
  });

  it("has no index that a number cannot be", () => {
    const wire = create(LogProofSchema, { fromSize: 2n ** 53n });
    assert.throws(() => parseLogProof(wire), MeshMessageError);
  });

  it("is asked for by serials", () => {
    const serials = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const { message } = overWireUp(encodeInclusionRequest(serials));
    assert.equal(message.case, "inclusion");
    assert.deepEqual(
      message.value.serials.map((each) => [...each]),
      [[1, 2], [3]],
    );
  });

  it("is disputed with both notes", () => {
    const told = {
      kind: "log-fork",
      message: "why",
      held: "ours",
      shown: "theirs",
      serial: Uint8Array.of(9),
    } as const;
    const { message } = overWireUp(encodeLogAlarm(told));
    assert.equal(message.case, "logAlarm");
    assert.deepEqual(parseLogAlarm(message.value), told);
  });

  it("is disputed within limits, and in kinds that there are", () => {
    const long = "x".repeat(10_000);
    const wire = create(LogAlarmSchema, {
      kind: long,
      detail: long,
      heldCheckpoint: long,
      shownCheckpoint: long,
      serial: new Uint8Array(100),
    });
    const { kind, message, held, shown: note, serial: cut } = parseLogAlarm(wire);
    assert.equal(kind, "log-invalid");
    assert.deepEqual(
      [message.length, held.length, note.length, cut.length],
      [1_024, 4_096, 4_096, 20],
    );
  });

  it("is witnessed by whoever says so in its Hello, with a checkpoint or without one", () => {
    for (const note of [undefined, "", "a note"]) {
      const { message } = overWireUp(encodeHello("agent", "1", 7n, note));
      assert.equal(message.case, "hello");
      assert.equal(message.value.logCheckpoint, note);
    }
  });
});

function overWireDown(message: ConnectResponse): ConnectResponse {
  return fromBinary(ConnectResponseSchema, toBinary(ConnectResponseSchema, message));
}

function overWireUp(message: ConnectRequest): ConnectRequest {
  return fromBinary(ConnectRequestSchema, toBinary(ConnectRequestSchema, message));
}
