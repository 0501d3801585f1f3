/**
 * Calls on which Envoys only tell: their statistics, their access log. Whose one is says its metadata, and which proxy its first message;
 * what comes before the workload is known is told to nobody. Of a node's workloads none takes the room of others.
 */

import { status, type sendUnaryData, type ServerReadableStream } from "@grpc/grpc-js";
import type { PolicyOwner } from "./policy/policy-owner.ts";
import type { PolicyProxyName } from "./policy/policy-feed.ts";
import { nodeIdLengthMax } from "./proxy-evidence.ts";
import type { StreamEnd } from "./secret-channel.ts";
import { WorkloadShare } from "./workload-share.ts";
import type { FindPeer, XdsPeer } from "./xds-calls.ts";

export interface TellingOptions {
  readonly findPeer: FindPeer;
  /** Whether a proxy's name is to be told with its workload's. */
  readonly namesWorkload: boolean;
  /** Of all of these calls. */
  readonly streamsMax: number;
}

export interface FirstMessage {
  /** Of the first message. */
  readonly nodeId: string | undefined;
}

/** What becomes of one stream's messages. */
export interface Listener<Message> {
  /** Once, before or between messages. */
  readonly known: (name: PolicyProxyName) => void;
  /** @throws RangeError for what ends the stream */
  readonly take: (message: Message) => void;
  readonly close: () => void;
}

export class TellingStreams<Message extends FirstMessage, Response> {
  readonly #options: TellingOptions;
  readonly #listen: () => Listener<Message>;
  #streams = 0;
  readonly #shares = new Map<PolicyOwner, WorkloadShare>();

  constructor(options: TellingOptions, listen: () => Listener<Message>) {
    this.#options = options;
    this.#listen = listen;
  }

  /** @param response when Envoy ends it */
  open(
    call: ServerReadableStream<Message, Response>,
    reply: sendUnaryData<Response>,
    response: Response,
  ): void {
    call.on("error", () => {});
    if (this.#streams >= this.#options.streamsMax) {
      return reply({ code: status.RESOURCE_EXHAUSTED, details: "too many streams" });
    }
    const peer = this.#options.findPeer(call.metadata);
    if ("code" in peer) return reply(peer);
    const share = this.#shares.get(peer.owner) ?? new WorkloadShare();
    if (this.#options.namesWorkload && !share.hasStream) {
      const details = "too many streams of one workload";
      return reply({ code: status.RESOURCE_EXHAUSTED, details });
    }
    this.#shares.set(peer.owner, share);
    share.open();
    this.#streams += 1;
    const stream = new TellingStream(this.#options, peer, share, this.#listen());
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      this.#streams -= 1;
      share.close();
      if (share.isEmpty) this.#shares.delete(peer.owner);
      isOpen = false;
      stream.close();
    };
    call.on("data", (message: Message) => {
      const end = isOpen ? stream.take(message) : undefined;
      if (end === undefined) return;
      close();
      reply(end);
    });
    call.on("end", () => {
      if (isOpen) reply(null, response);
      close();
    });
    for (const event of ["error", "cancelled", "close"]) call.on(event, close);
  }
}

class TellingStream<Message extends FirstMessage> {
  readonly #options: TellingOptions;
  readonly #peer: XdsPeer;
  readonly #share: WorkloadShare;
  readonly #listener: Listener<Message>;
  #letGo: (() => void) | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(
    options: TellingOptions,
    peer: XdsPeer,
    share: WorkloadShare,
    listener: Listener<Message>,
  ) {
    this.#options = options;
    this.#peer = peer;
    this.#share = share;
    this.#listener = listener;
  }

  /** @returns why it is over; undefined if it goes on */
  take(message: Message): StreamEnd | undefined {
    if (this.#stopWaiting === undefined) {
      const { nodeId: proxyId = "" } = message;
      if (proxyId === "" || proxyId.length > nodeIdLengthMax) {
        return invalid(`expected a node id of 1 to ${nodeIdLengthMax} characters`);
      }
      if (this.#options.namesWorkload && !this.#share.hasProxy(proxyId)) {
        return { code: status.RESOURCE_EXHAUSTED, details: "too many proxies of one workload" };
      }
      this.#letGo = this.#share.hold(proxyId);
      this.#stopWaiting = this.#peer.owner.whenKnown((id) => {
        const spiffeId = this.#options.namesWorkload ? id.toString() : undefined;
        this.#listener.known({ proxyId, spiffeId });
      });
    }
    try {
      this.#listener.take(message);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return invalid(error.message);
    }
    return undefined;
  }

  close(): void {
    this.#stopWaiting?.();
    this.#listener.close();
    this.#letGo?.();
  }
}

function invalid(details: string): StreamEnd {
  return { code: status.INVALID_ARGUMENT, details };
}
