/** The xDS streams of a socket, whatever service they call: counted together, and not heard while their clients do not read. */

import { status, type Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import type { PolicyOwner } from "./policy/policy-owner.ts";
import type { SecretChannel, StreamEnd } from "./secret-channel.ts";

/** Whose Envoy calls. */
export interface XdsPeer {
  readonly channel: SecretChannel;
  readonly owner: PolicyOwner;
}

/** By a call's metadata; or how the call ends. */
export type FindPeer = (metadata: Metadata) => XdsPeer | StreamEnd;

export interface XdsCall<Response> {
  readonly peer: XdsPeer;
  readonly send: (response: Response) => void;
  readonly end: (end: StreamEnd) => void;
  /** Whatever way it ends. */
  readonly onClosed: (callback: () => void) => void;
}

/** A client that comes back names everything that it has: thousands of clusters, with long names. */
export const xdsMessageBytesMax: number = 2 * 1_048_576;

export class XdsCalls {
  readonly findPeer: FindPeer;
  readonly streamsMax: number;
  #streams = 0;

  constructor(findPeer: FindPeer, streamsMax: number) {
    this.findPeer = findPeer;
    this.streamsMax = streamsMax;
  }

  /** Undefined for a call that has got its end. */
  open<Request, Response>(
    call: ServerDuplexStream<Request, Response>,
  ): XdsCall<Response> | undefined {
    const end = ({ code, details }: StreamEnd): void => void call.emit("error", { code, details });
    call.on("error", () => {});
    if (this.#streams >= this.streamsMax) {
      end({ code: status.RESOURCE_EXHAUSTED, details: "too many streams" });
      return undefined;
    }
    const peer = this.findPeer(call.metadata);
    if ("code" in peer) {
      end(peer);
      return undefined;
    }
    this.#streams += 1;
    onceClosed(call, () => (this.#streams -= 1));
    const send = (response: Response): void => {
      if (call.write(response)) return;
      // Whoever does not read its answers is not heard, either.
      call.pause();
      call.once("drain", () => call.resume());
    };
    return { peer, send, end, onClosed: (callback) => onceClosed(call, callback) };
  }
}

function onceClosed<Request, Response>(
  call: ServerDuplexStream<Request, Response>,
  close: () => void,
): void {
  let isOpen = true;
  const closeOnce = (): void => {
    if (isOpen) close();
    isOpen = false;
  };
  call.on("error", closeOnce);
  call.on("cancelled", closeOnce);
  call.on("close", closeOnce);
  call.on("end", () => {
    closeOnce();
    call.end();
  });
}
