/** A call with two `authorization` headers, which only hand-written HTTP/2 can send. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";

import { eventually, mint, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { CREATE_CERTIFICATE, encodeRequest, frame as frameMessage, WIRE_CSR } from "./grpc-wire.ts";

async function sendTwice(it: TestControlPlane, first: string, second: string): Promise<void> {
  const block = Buffer.concat(
    [
      [":method", "POST"],
      [":scheme", "https"],
      [":path", CREATE_CERTIFICATE],
      [":authority", "localhost"],
      ["content-type", "application/grpc"],
      ["authorization", `Bearer ${first}`],
      ["authorization", `Bearer ${second}`],
    ].map(([name = "", value = ""]) => Buffer.concat([Buffer.of(0), hpack(name), hpack(value)])),
  );
  const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
    const head = Buffer.from([0, 0, 0, type, flags, 0, 0, 0, stream]);
    head.writeUIntBE(payload.length, 0, 3);
    return Buffer.concat([head, payload]);
  };
  const [host, port] = it.address.split(":");
  const socket = connect({ host, port: Number(port), ca: it.rootPem, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(4, 0, 0, Buffer.of()));
  socket.write(frame(1, 4, 1, block));
  socket.write(frame(0, 1, 1, frameMessage(encodeRequest({ csr: WIRE_CSR }))));
  await eventually(() => it.log.some(({ event }) => /issued|refused/.test(String(event))));
  socket.destroy();
}

/** A string literal of HPACK without Huffman (RFC 7541 5.2). */
function hpack(text: string): Buffer {
  const octets: number[] = [];
  if (text.length < 127) octets.push(text.length);
  else {
    octets.push(127);
    let left = text.length - 127;
    for (; left >= 128; left >>= 7) octets.push((left & 127) | 128);
    octets.push(left);
  }
  return Buffer.concat([Buffer.from(octets), Buffer.from(text)]);
}

test("of two authorization headers only the first counts, as Node's HTTP/2 has it", async () => {
  const other = mint({ sub: "system:serviceaccount:shop:pay", "kubernetes.io": undefined });
  for (const [first, second, event] of [
    [mint(), other, "certificate-issued"],
    ["garbage", mint(), "request-refused"],
  ] as const) {
    await using it = await startControlPlane();
    await sendTwice(it, first, second);
    const line = it.log.at(-1);
    assert.equal(line?.["event"], event);
    assert.notEqual(line["spiffeId"], "spiffe://cluster.local/ns/shop/sa/pay");
  }
});
