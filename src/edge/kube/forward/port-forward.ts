/**
 * A port of a pod, as a stream: the API server hands a WebSocket on to the pod's kubelet (`v4.channel.k8s.io`, which every kubelet
 * speaks), with a channel for the port's octets and one for what the kubelet has to say.
 */

import { randomBytes } from "node:crypto";
import { Duplex } from "node:stream";
import { printable } from "../../../core/identity/authn-error.ts";
import type { KubeAccess } from "../kube-access.ts";
import { KubeError } from "../kube-error.ts";
import { upgrade, type Upgraded } from "./upgrade.ts";
import { encodeFrame, FrameReader, Opcode, type Frame } from "./websocket-frames.ts";

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

const openMs = 10_000;
const chunkBytesMax = 65_536;
const dataChannel = 0;
/** Each channel begins with the port's number, in two octets. */
const portBytes = 2;
const wordsMax = 300;

/**
 * @param signal until it is open
 * @throws KubeError; the reason of the signal
 */
export async function forwardPort(
  access: KubeAccess,
  to: PodPort,
  signal: AbortSignal,
): Promise<Duplex> {
  const { namespace, pod, port } = to;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=${port}`;
  const protocol = "v4.channel.k8s.io";
  return new ForwardedPort(
    await upgrade(access, { path, protocol, deadlineMs: openMs, signal }),
    to,
  );
}

class ForwardedPort extends Duplex {
  readonly #socket: Duplex;
  readonly #reader = new FrameReader();
  readonly #where: string;
  /** Octets that are to come before a channel's own, by channel. */
  readonly #left = [portBytes, portBytes];
  #channel = dataChannel;
  #isClosing = false;

  constructor({ socket, head }: Upgraded, { namespace, pod, port }: PodPort) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#where = `port ${port} of pod ${namespace}/${pod}`;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error: Error) => this.destroy(this.#cut(error.message)));
    socket.on("close", () => {
      if (!this.#isClosing) this.destroy(this.#cut());
    });
    if (head.length > 0) this.#take(head);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: unknown, done: (error?: Error | null) => void): void {
    let isRoom = true;
    for (let at = 0; at < chunk.length; at += chunkBytesMax) {
      const part = chunk.subarray(at, at + chunkBytesMax);
      isRoom = this.#send(Opcode.binary, Buffer.concat([Buffer.of(dataChannel), part]));
    }
    if (isRoom) done();
    else this.#socket.once("drain", () => done());
  }

  override _final(done: () => void): void {
    this.#end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isClosing = true;
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.read(chunk)) this.#frame(frame);
    } catch (error) {
      this.destroy(error instanceof Error ? error : this.#cut(String(error)));
    }
  }

  #frame({ opcode, payload }: Frame): void {
    if (opcode === Opcode.ping) return void this.#send(Opcode.pong, payload);
    if (opcode === Opcode.close) {
      this.#end();
      return void this.push(null);
    }
    if (opcode === Opcode.binary) this.#channel = payload[0] ?? dataChannel;
    else if (opcode !== Opcode.continuation) return;
    const rest = opcode === Opcode.binary ? payload.subarray(1) : payload;
    const skipped = Math.min(this.#left[this.#channel] ?? 0, rest.length);
    this.#left[this.#channel] = (this.#left[this.#channel] ?? 0) - skipped;
    const said = rest.subarray(skipped);
    if (said.length === 0) return;
    if (this.#channel !== dataChannel) {
      const words = printable(said.toString("utf8"), wordsMax);
      this.destroy(new KubeError("kube-unavailable", `${this.#where}: ${words}`));
    } else if (!this.push(said)) this.#socket.pause();
  }

  /** @returns whether there is room for more */
  #send(opcode: number, payload: Uint8Array): boolean {
    return this.#socket.write(encodeFrame(opcode, payload, randomBytes(4)));
  }

  #end(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#send(Opcode.close, Buffer.alloc(0));
    this.#socket.end();
  }

  #cut(why?: string): KubeError {
    const words = why === undefined ? "" : ` (${why})`;
    const message = `${this.#where}: the forwarded connection was cut${words}`;
    return new KubeError("kube-unreachable", message);
  }
}
