/** The frames of a WebSocket (RFC 6455 5), as a client writes and reads them. Nothing is compressed: no extension is offered. */

import { KubeError } from "../kube-error.ts";

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  /** Whether the message ends with it. */
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

/** A kubelet sends what it has read of the port: 32 KiB. */
const payloadBytesMax = 1_048_576;
const finalBit = 0x80;
const maskBit = 0x80;

/** @param mask 4 random octets: a client masks all that it sends (5.3) */
export function encodeFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + lengthBytes + 4 + length);
  frame[0] = finalBit | opcode;
  frame[1] = maskBit | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  const at = 2 + lengthBytes;
  frame.set(mask.subarray(0, 4), at);
  for (let i = 0; i < length; i++) frame[at + 4 + i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return frame;
}

/** What comes, in whatever pieces, as whole frames. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** @throws KubeError `kube-answer` for what no server sends that keeps to the RFC, or more than is taken */
  read(chunk: Uint8Array): readonly Frame[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  #next(): Frame | undefined {
    const bytes = this.#pending;
    if (bytes.length < 2) return undefined;
    const [first = 0, second = 0] = bytes;
    if ((first & 0x70) !== 0 || (second & maskBit) !== 0) throw malformed("no extension, no mask");
    const short = second & 0x7f;
    const head = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    if (bytes.length < head) return undefined;
    const length =
      short === 126
        ? bytes.readUInt16BE(2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(2))
          : short;
    if (length < (short === 127 ? 65_536 : short === 126 ? 126 : 0)) throw malformed("no zeros");
    if (length > payloadBytesMax) throw malformed(`frames of at most ${payloadBytesMax} octets`);
    if (bytes.length < head + length) return undefined;
    this.#pending = bytes.subarray(head + length);
    const payload = bytes.subarray(head, head + length);
    return { opcode: first & 0x0f, isFinal: (first & finalBit) !== 0, payload };
  }
}

function malformed(expected: string): KubeError {
  const message = `the API server's WebSocket: expected ${expected}, got something else`;
  return new KubeError("kube-answer", message);
}
