/** What an API server, or a kubelet behind it, sends over the WebSocket of a forwarded port. */

import assert from "node:assert/strict";
import {
  encodeFrame,
  FrameReader,
  type Frame,
} from "../../../src/edge/kube/forward/websocket-frames.ts";
import { valueOrTyped, type FuzzTarget } from "../target.ts";

/** A client's frame without its mask is a server's. */
function serverFrame({ opcode, isFinal, payload }: Frame): Buffer {
  const masked = encodeFrame(opcode, payload, Buffer.alloc(4));
  const head = masked.subarray(0, masked.length - payload.length - 4);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = (head[1] ?? 0) & 0x7f;
  return Buffer.concat([head, payload]);
}

const frame = (opcode: number, payload: string | Buffer, isFinal = true): Buffer =>
  serverFrame({ opcode, isFinal, payload: Buffer.from(payload) });

const channels = [frame(2, Buffer.of(0, 0xa8, 0x3a)), frame(2, Buffer.of(1, 0xa8, 0x3a))];

export const websocketFrames: FuzzTarget = {
  name: "websocket-frames",
  shape: "bytes",
  dictionary: ["\u0082\u007e", "\u0082\u007f", "\u0089\u0000", "\u0000\u0001"],
  seeds: () => ({
    forwarded: Buffer.concat([
      ...channels,
      frame(9, "ping"),
      frame(2, "\u0000octets"),
      frame(8, ""),
    ]),
    refused: Buffer.concat([...channels, frame(2, "\u0001connection refused"), frame(8, "")]),
    long: frame(2, Buffer.alloc(300, 7)),
    parts: Buffer.concat([frame(2, "\u0000a", false), frame(0, "b", false), frame(0, "c")]),
  }),
  check: (input) => {
    const whole = valueOrTyped(() => new FrameReader().read(input));
    const reader = new FrameReader();
    const pieces = valueOrTyped(() =>
      Array.from(input).flatMap((octet) => reader.read(Buffer.of(octet))),
    );
    assert.deepEqual(pieces, whole, "it means the same in whatever pieces it comes");
    if (whole === undefined) return false;
    const written = Buffer.concat(whole.map(serverFrame));
    assert.deepEqual(written, Buffer.from(input.subarray(0, written.length)));
    return whole.length > 0;
  },
};
