import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { TrustDomain } from "../../../core/spiffe/id.ts";
import { trustBundle } from "../../../core/spiffe/trust-bundle.ts";
import type { EncodedMessage } from "../../../edge/rpc/service-definition.ts";
import { ConnectResponseSchema } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { BundlePublisher } from "./bundle-publisher.ts";
import { MeshSessions, type Session } from "./mesh-session.ts";

const bundleOf = (sequence: bigint) =>
  trustBundle(TrustDomain.parse("td"), sequence, [Uint8Array.of(1)], []);

class Rig {
  bundle = bundleOf(1n);
  readonly sessions = new MeshSessions();
  readonly publisher: BundlePublisher = new BundlePublisher(() => this.bundle, this.sessions);
  readonly sent = new Map<string, EncodedMessage[]>();

  /** As after a Hello. */
  greet(agentId: string): void {
    const messages: EncodedMessage[] = [];
    this.sent.set(agentId, messages);
    const call = { write: (message: EncodedMessage) => messages.push(message), emit: () => {} };
    const session = { call } as unknown as Session;
    this.sessions.add(session);
    this.sessions.speaks(session, { agentId, spiffeId: "spiffe://td/x" });
    this.publisher.send(session);
  }

  publish(sequence: bigint): void {
    this.bundle = bundleOf(sequence);
    this.publisher.publish();
  }

  /** How many have been sent a bundle last. */
  having(sequence: bigint): number {
    return [...this.sent.values()].filter((messages) => sequenceOf(messages.at(-1)) === sequence)
      .length;
  }
}

function sequenceOf(response: EncodedMessage | undefined): bigint | undefined {
  if (response === undefined) return undefined;
  const { message } = fromBinary(ConnectResponseSchema, response.octets);
  return message.case === "bundle" ? message.value.sequence : undefined;
}

test("a new bundle goes to everybody once, some in each turn, and is encoded once", async () => {
  const rig = new Rig();
  for (let agent = 0; agent < 250; agent++) rig.greet(`a${agent}`);
  rig.publish(2n);
  assert.equal(rig.having(2n), 100);
  await nextTurn();
  assert.equal(rig.having(2n), 200);
  await nextTurn();
  assert.equal(rig.having(2n), 250);
  const second = [...rig.sent.values()].map(([, message, ...more]) => {
    assert.equal(more.length, 0);
    return message;
  });
  const [message] = second;
  assert.ok(message !== undefined && second.every((each) => each === message));
});

test("a bundle that comes meanwhile takes the place of the one that is on its way", async () => {
  const rig = new Rig();
  for (let agent = 0; agent < 250; agent++) rig.greet(`a${agent}`);
  rig.publish(2n);
  rig.publish(3n);
  for (let turn = 0; turn < 4; turn++) await nextTurn();
  assert.equal(rig.having(3n), 250);
  const lengths = [...rig.sent.values()].map(({ length }) => length);
  assert.deepEqual([lengths[0], lengths[249]], [3, 2]);
});

test("nobody gets one twice: not who comes meanwhile, and not for a change of who signs", async () => {
  const rig = new Rig();
  for (let agent = 0; agent < 150; agent++) rig.greet(`a${agent}`);
  rig.publish(2n);
  rig.greet("late");
  await nextTurn();
  await nextTurn();
  rig.publish(2n);
  await nextTurn();
  assert.equal(rig.having(2n), 151);
  assert.equal(rig.sent.get("late")?.length, 1);
  assert.ok([...rig.sent.values()].every(({ length }) => length <= 2));
});
