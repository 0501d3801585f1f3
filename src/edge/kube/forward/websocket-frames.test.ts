import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { encodeFrame, FrameReader, Opcode } from "./websocket-frames.ts";

/** As a server writes it: without a mask. */
function serverFrame(first: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 0xff]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([first, ...head]), payload]);
}

const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];

describe("FrameReader", () => {
  it("gives whole frames, in whatever pieces they come", () => {
    const payload = fc.uint8Array({ maxLength: 300 });
    const frame = fc.tuple(fc.constantFrom(0x02, 0x82, 0x80, 0x88, 0x89), payload);
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(([first, each]) => serverFrame(first, each)));
        const reader = new FrameReader();
        const read = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          read.push(...reader.read(bytes.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(
          read.map(({ opcode, isFinal, payload }) => [opcode, isFinal, new Uint8Array(payload)]),
          frames.map(([first, each]) => [first & 0x0f, (first & 0x80) !== 0, new Uint8Array(each)]),
        );
      }),
    );
  });

  it("reads every way in which a length is written", () => {
    for (const length of lengths) {
      const [frame] = new FrameReader().read(serverFrame(0x82, Buffer.alloc(length, 7)));
      assert.equal(frame?.payload.length, length);
    }
  });

  const refused: readonly (readonly [what: string, bytes: readonly number[]])[] = [
    ["an extension that nobody has offered", [0xc2, 0]],
    ["a server's mask", [0x82, 0x81, 0, 0, 0, 0, 1]],
    ["a frame of more than 1 MiB", [0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 1]],
    ["a length in more octets than it needs", [0x82, 126, 0, 125]],
    ["a length in more octets than it needs, for a long one", [0x82, 127, 0, 0, 0, 0, 0, 0, 1, 0]],
    ["a length that no number has", [0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ];
  for (const [what, bytes] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => new FrameReader().read(Buffer.from(bytes)), { code: "kube-answer" });
    });
  }
});

describe("encodeFrame", () => {
  it("masks what it sends, which comes back by the mask", () => {
    const mask = Buffer.of(0x11, 0x22, 0x33, 0x44);
    for (const length of lengths) {
      const payload = Buffer.from(Array.from({ length }, (_, at) => at & 0xff));
      const frame = encodeFrame(Opcode.binary, payload, mask);
      assert.equal(frame[0], 0x82);
      assert.equal((frame[1] ?? 0) & 0x80, 0x80);
      const at = frame.length - length;
      assert.deepEqual(frame.subarray(at - 4, at), mask);
      const back = frame.subarray(at).map((octet, i) => octet ^ (mask[i % 4] ?? 0));
      assert.deepEqual(Buffer.from(back), payload);
      // The head alone, without the mask's bit, is read as any other.
      const plain = Buffer.concat([frame.subarray(0, at - 4), payload]);
      plain[1] = (plain[1] ?? 0) & 0x7f;
      assert.deepEqual(new FrameReader().read(plain)[0]?.payload, payload);
    }
  });
});
