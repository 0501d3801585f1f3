/**
 * A webhook's HTTPS, for an API server that shows no certificate of its own: anybody may ask, so that all that a stranger can do here is
 * bounded. Each question has a deadline, which is sooner than that of whoever asked.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { PortcullisError } from "../../core/error.ts";
import { KeyCounts } from "../../core/key-counts.ts";
import { AddressBudget } from "./address-budget.ts";
import { listenOn } from "./listen.ts";
import { requestMs, serverContext, strangersServer, type WebIdentity } from "./server-context.ts";
import { UnreadBodies } from "./unread-bodies.ts";
import { questionDeadlineMs } from "./webhook-deadline.ts";

export interface AskedFrom {
  /** From now on. */
  readonly deadlineMs: number;
  readonly address: string;
}

export interface WebhookHttpOptions {
  /** The one path that is served. */
  readonly path: string;
  /** @throws PortcullisError for a question that is none */
  readonly answer: (body: string, of: AskedFrom) => Promise<string>;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** Of an object 64 KiB are read; a question may have it twice, with what the API server adds. */
const bodyBytesMax = 262_144;
const connectionsMax = 256;
const connectionsEachMax = 64;
/** Under way, of all and of one address. */
const questionsMax = 128;
const questionsEachMax = 32;
/** Longer than an API server keeps a connection that it does not use (90 s): it is never the one that finds it closed. */
const idleMs = 120_000;

export class WebhookHttp implements AsyncDisposable {
  readonly #options: WebhookHttpOptions;
  readonly #server: Server;
  readonly #budget = new AddressBudget();
  readonly #connections = new KeyCounts();
  readonly #bodies = new UnreadBodies();
  /** Under way, by address. */
  readonly #questions = new KeyCounts();

  constructor(identity: WebIdentity, options: WebhookHttpOptions) {
    this.#options = options;
    this.#server = strangersServer(identity, idleMs, (request, response) => {
      void this.#respond(request, response);
    });
    this.#server.maxConnections = connectionsMax;
    this.#server.on("connection", (socket) => this.#count(socket));
  }

  /** @param port 0 picks one. @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    return await listenOn(this.#server, host, port);
  }

  /** New handshakes use it; connections that are open stay as they are. */
  renew(identity: WebIdentity): void {
    this.#server.setSecureContext(serverContext(identity));
  }

  /** What is under way is answered: each has a deadline. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), requestMs);
    await closed.finally(() => clearTimeout(late));
  }

  #count(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const counted = this.#connections.add(address);
    socket.once("close", () => counted[Symbol.dispose]());
    if (this.#connections.of(address) > connectionsEachMax) socket.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type = "text/plain; charset=utf-8", text } = await this.#answer(request);
    const body = Buffer.from(text);
    const isUnread = !request.complete || !this.#server.listening;
    if (isUnread) response.setHeader("connection", "close");
    response.writeHead(status, { "content-type": type, "content-length": body.length });
    response.end(body);
  }

  async #answer(request: IncomingMessage): Promise<HttpAnswer> {
    const { method, url = "", socket } = request;
    if (url.replace(/\?.*$/, "") !== this.#options.path) {
      return { status: 404, text: `expected ${this.#options.path}\n` };
    }
    if (method !== "POST") return { status: 405, text: "expected POST\n" };
    const [nowMs, address] = [this.#options.nowMs(), socket.remoteAddress ?? ""];
    if (!this.#budget.takeQuestion(address, nowMs)) return { status: 429, text: "too many\n" };
    const body = await this.#read(request, address);
    if (typeof body !== "string") return body;
    if (!this.#budget.takeBytes(address, body.length, this.#options.nowMs())) {
      return { status: 429, text: "too much\n" };
    }
    const isFull = this.#questions.total >= questionsMax;
    if (isFull || this.#questions.of(address) >= questionsEachMax) {
      return { status: 503, text: "busy\n" };
    }
    using _ = this.#questions.add(address);
    const untilMs = nowMs + questionDeadlineMs(url);
    const deadlineMs = Math.max(1, untilMs - this.#options.nowMs());
    return await this.#ask(body, { deadlineMs, address });
  }

  async #read(request: IncomingMessage, address: string): Promise<string | HttpAnswer> {
    try {
      const body = await this.#bodies.read(request, address, bodyBytesMax);
      if (body.kind === "read") return body.text;
      return body.kind === "slow"
        ? { status: 408, text: "expected the body at once\n" }
        : { status: 413, text: "expected less, in UTF-8\n" };
    } catch {
      return { status: 400, text: "expected all of the body\n" };
    }
  }

  async #ask(body: string, of: AskedFrom): Promise<HttpAnswer> {
    try {
      const text = await this.#options.answer(body, of);
      return { status: 200, type: "application/json", text };
    } catch (error) {
      // Of what nobody expected a stranger is told nothing.
      const isTold = error instanceof PortcullisError;
      return isTold
        ? { status: 400, text: `${error.message}\n` }
        : { status: 500, text: "internal\n" };
    }
  }
}

interface HttpAnswer {
  readonly status: number;
  readonly type?: string;
  readonly text: string;
}
