/**
 * Who asks the CA: one CSR at a time over a connection that can be cut at either end. A reply to a call that was given up is not
 * read, and only the server's log knows of that certificate.
 */

import type { Leaf } from "./symbols.ts";
import { Pipe, Task } from "./pipe.ts";

export interface CsrReply {
  readonly leaf: Leaf;
  /** As the reply's last element brings them: the server's when the call was taken. */
  readonly roots: readonly Uint8Array[];
}

export interface CsrCall {
  readonly client: CsrClient;
  readonly identity: string;
  /** "" for a client that is no agent of ours. */
  readonly agentId: string;
  readonly atMs: number;
}

/** As an agent gives a call up. */
const timeoutMs = 10_000;

export interface CsrServer {
  readonly isUp: boolean;
  take(call: CsrCall): void;
}

export interface CsrOptions {
  readonly identity: string;
  readonly agentId: () => string;
  readonly nowMs: () => number;
  /** How long it waits after a call that has failed. */
  readonly backOffMs: () => number;
  /** It runs, and its network leads somewhere. */
  readonly isReachable: () => boolean;
  readonly isDue: () => boolean;
  /** Whether it believes the server's certificate. */
  readonly accepts: () => boolean;
  readonly onReply: (reply: CsrReply) => void;
}

export class CsrClient {
  readonly ask: Task;
  readonly request: Pipe<CsrCall>;
  readonly reply: Pipe<CsrReply>;
  /** The network keeps the next reply for itself, for a while. */
  isHeld = false;
  #call: CsrCall | undefined;
  #retryAtMs = 0;
  readonly #options: CsrOptions;

  constructor(server: CsrServer, options: CsrOptions) {
    this.#options = options;
    const { identity, agentId, nowMs, isReachable, isDue, accepts, onReply } = options;
    this.ask = new Task(
      () => this.#mayAsk() && isReachable() && server.isUp && isDue() && accepts(),
      () => {
        this.#call = {
          client: this,
          identity,
          agentId: agentId(),
          atMs: nowMs(),
        };
        this.request.send(this.#call);
      },
    );
    this.request = new Pipe(
      () => isReachable() && server.isUp,
      (call) => server.take(call),
    );
    this.reply = new Pipe(
      () => isReachable() && !this.isHeld,
      (reply) => {
        this.#call = undefined;
        onReply(reply);
      },
    );
  }

  get isWaiting(): boolean {
    return this.#call !== undefined;
  }

  /** By the server. */
  answer(call: CsrCall, reply: CsrReply): void {
    if (call === this.#call) this.reply.send(reply);
  }

  /** @returns whether it had waited for too long */
  giveUp(nowMs: number): boolean {
    return this.#call !== undefined && nowMs >= this.#call.atMs + timeoutMs && this.drop();
  }

  /** The call has failed, or was given up. @returns whether there was one */
  drop(): boolean {
    const was = this.#call !== undefined;
    this.#call = undefined;
    this.isHeld = false;
    if (was) this.#retryAtMs = this.#options.nowMs() + this.#options.backOffMs();
    this.request.lose();
    this.reply.lose();
    return was;
  }

  #mayAsk(): boolean {
    return this.#call === undefined && this.#options.nowMs() >= this.#retryAtMs;
  }
}
