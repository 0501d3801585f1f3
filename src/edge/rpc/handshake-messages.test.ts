import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  encodeHandshakeReport,
  encodeProveHandshakes,
  parseHandshakeReport,
  parseProveHandshakes,
  type ToldHandshake,
} from "./handshake-messages.ts";
import { hexOf } from "../../core/bytes.ts";
import type { HandshakeReport } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hexOf);
const rootsSequence = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const failure = record({
  listener: fc.string({ maxLength: 256 }),
  detail: fc.string({ maxLength: 256 }),
});
const told: fc.Arbitrary<ToldHandshake> = record({
  proxyId: fc.string({ maxLength: 64 }),
  spiffeId: fc.constantFrom(undefined, "spiffe://td.test/ns/shop/sa/cart"),
  proof: record({
    rootSha256: digest,
    rootsSequence,
    policyDigest: digest,
    failure: fc.option(failure, { nil: undefined }),
  }),
});

function wireOf(each: ToldHandshake): HandshakeReport {
  const { message } = encodeHandshakeReport(each);
  assert.ok(message.case === "handshake");
  return message.value;
}

const good: ToldHandshake = {
  proxyId: "p1",
  spiffeId: undefined,
  proof: {
    rootSha256: "0a".repeat(32),
    rootsSequence: 1n,
    policyDigest: "0b".repeat(32),
    failure: { listener: "inbound_80", detail: "no" },
  },
};

describe("what a proxy has proved", () => {
  it("is read as it was told", () => {
    fc.assert(
      fc.property(told, (each) => assert.deepEqual(parseHandshakeReport(wireOf(each)), each)),
    );
  });

  it("is cut where TLS has much to say", () => {
    const { proof } = good;
    const long = { listener: "inbound_80", detail: "x".repeat(1_000) };
    const parsed = parseHandshakeReport(wireOf({ ...good, proof: { ...proof, failure: long } }));
    assert.equal(parsed.proof.failure?.detail.length, 256);
  });

  const refused: readonly (readonly [string, Partial<HandshakeReport>, string])[] = [
    ["without a root", { rootSha256: new Uint8Array() }, "mesh-digest-malformed"],
    ["with half a root", { rootSha256: new Uint8Array(16) }, "mesh-digest-malformed"],
    ["without a policy", { policyDigest: new Uint8Array() }, "mesh-digest-malformed"],
    ["with a name that is too long", { proxyId: "p".repeat(2_049) }, "mesh-name-too-long"],
    ["of no SPIFFE ID", { spiffeId: "cart" }, "spiffe-id-scheme-invalid"],
  ];
  for (const [title, changes, code] of refused) {
    it(`is refused ${title}`, () => {
      assert.throws(() => parseHandshakeReport({ ...wireOf(good), ...changes }), { code });
    });
  }
});

it("what is to be proved is read as it was asked, and so is the end of it", () => {
  const asked = fc.option(record({ rootSha256: digest, rootsSequence }), { nil: undefined });
  fc.assert(
    fc.property(asked, (each) => {
      const { message } = encodeProveHandshakes(each);
      assert.ok(message.case === "prove");
      assert.deepEqual(parseProveHandshakes(message.value), each);
    }),
  );
});
