/**
 * A kubelet as far as a forwarded port needs one: the real API server hands a WebSocket on to it, and it connects the port of any pod to
 * where the test says. Written from the kubelet's own code (cri-streaming, portforward/websocket.go), and not with ours.
 */

import { hash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CoreV1Api } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";

export interface KubeletOptions {
  readonly cluster: Cluster;
  /** Of the pod's port: where the stand-in connects it to, on loopback. */
  readonly portOf: (podPort: number) => number | undefined;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export class StandInKubelet implements AsyncDisposable {
  /** The name of its Node object. */
  readonly node: string;
  /** What was asked of it. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  static async start(options: KubeletOptions): Promise<StandInKubelet> {
    const { cluster, cert, key } = options;
    const server = createServer({ cert, key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { name } = await cluster.node("node");
    const { port } = server.address() as AddressInfo;
    await announce(cluster, name, port);
    return new StandInKubelet(options, server, name);
  }

  private constructor(options: KubeletOptions, server: Server, node: string) {
    this.node = node;
    this.#server = server;
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      this.asked.push(request.url ?? "");
      forward(options, request, socket);
    });
  }

  /** When no port is forwarded. */
  async closed(): Promise<void> {
    await Promise.all([...this.#sockets].map(async (socket) => once(socket, "close")));
  }

  /** Without a word, as a node that dies. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** As a kubelet reports its node, so that the API server finds it. */
async function announce(cluster: Cluster, name: string, port: number): Promise<void> {
  const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  const node = await core.readNode({ name });
  const status = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  await core.replaceNodeStatus({ name, body: Object.assign(node, { status }) });
}

const protocol = "v4.channel.k8s.io";

function forward(
  { portOf }: KubeletOptions,
  { url = "", headers }: IncomingMessage,
  socket: Duplex,
): void {
  const podPort = Number(new URL(url, "https://kubelet").searchParams.get("port"));
  const accept = hash(
    "sha1",
    `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    "base64",
  );
  socket.write(
    [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
      "\r\n",
    ].join("\r\n"),
  );
  const number = Buffer.alloc(2);
  number.writeUInt16LE(podPort);
  send(socket, 2, Buffer.concat([Buffer.of(0), number]));
  send(socket, 2, Buffer.concat([Buffer.of(1), number]));
  send(socket, 9, Buffer.from("are you there"));
  const port = portOf(podPort);
  const server = connect(port ?? 1, "127.0.0.1");
  server.on("data", (chunk: Buffer) => send(socket, 2, Buffer.concat([Buffer.of(0), chunk])));
  server.on("error", (error) => {
    const words = `error forwarding port ${podPort} to pod: ${error.message}`;
    send(socket, 2, Buffer.concat([Buffer.of(1), Buffer.from(words)]));
  });
  server.on("close", () => {
    send(socket, 8, Buffer.alloc(0));
    socket.end();
  });
  socket.on("close", () => server.destroy());
  receive(socket, server);
}

function send(socket: Duplex, opcode: number, payload: Buffer): void {
  if (!socket.writable) return;
  const { length } = payload;
  const head = length < 126 ? Buffer.of(0x80 | opcode, length) : longHead(opcode, length);
  socket.write(Buffer.concat([head, payload]));
}

function longHead(opcode: number, length: number): Buffer {
  if (length < 65_536) return Buffer.of(0x80 | opcode, 126, length >> 8, length & 0xff);
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** What a client sends is masked. */
function receive(socket: Duplex, server: Socket): void {
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = frameOf(pending); frame !== undefined; frame = frameOf(pending)) {
      pending = pending.subarray(frame.end);
      if (frame.opcode === 8) server.end();
      if (frame.opcode === 2 && frame.payload[0] === 0) server.write(frame.payload.subarray(1));
    }
  });
}

function frameOf(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const at = 2 + extended + 4;
  if (bytes.length < at) return undefined;
  const length =
    extended === 0
      ? short
      : extended === 2
        ? bytes.readUInt16BE(2)
        : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < at + length) return undefined;
  const mask = bytes.subarray(at - 4, at);
  const payload = bytes.subarray(at, at + length).map((octet, i) => octet ^ (mask[i % 4] ?? 0));
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload: Buffer.from(payload), end: at + length };
}
