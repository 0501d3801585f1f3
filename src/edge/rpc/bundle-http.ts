/**
 * The SPIFFE bundle endpoint's HTTPS (SPIFFE Federation 5.2): one document at `/`, for anybody. It asks for no client
 * certificate and no credential, so all that a stranger can do here is bounded.
 */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { listenOn } from "./listen.ts";
import { requestMs, serverContext, strangersServer, type WebIdentity } from "./server-context.ts";

export interface BundleResponse {
  readonly text: string;
  /** Quoted, as in the header (RFC 9110 8.8.3). */
  readonly etag: string;
  readonly maxAgeSeconds: number;
}

const connectionsMax = 1_000;
/** Whoever fetches the bundle comes back after minutes. */
const keepAliveMs = 5_000;

export class BundleHttp implements AsyncDisposable {
  readonly #server: Server;

  /** @param current asked at each request: must be cheap */
  constructor(identity: WebIdentity, current: () => BundleResponse) {
    this.#server = strangersServer(identity, keepAliveMs, (request, response) =>
      respond(request, response, current()),
    );
    this.#server.maxConnections = connectionsMax;
    // Of reading and of writing: whoever takes no answer is sent away, too.
    this.#server.setTimeout(requestMs);
  }

  /** @param port 0 picks one. @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    return await listenOn(this.#server, host, port);
  }

  /** New handshakes use it; connections that are open stay as they are. */
  renew(identity: WebIdentity): void {
    this.#server.setSecureContext(serverContext(identity));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  current: BundleResponse,
): void {
  const { method = "", url = "", headers } = request;
  // A body means nothing here, and is not waited for.
  if (hasBody(headers)) response.setHeader("connection", "close");
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return sendText(response, 405, "expected GET or HEAD");
  }
  if (pathOf(url) !== "/") return sendText(response, 404, "expected /");
  response.setHeader("etag", current.etag);
  response.setHeader("cache-control", `max-age=${current.maxAgeSeconds}`);
  if (isKnown(headers["if-none-match"], current.etag)) {
    response.writeHead(304).end();
  } else {
    send(response, 200, "application/json", current.text);
  }
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/** A proxy may send the whole URL (RFC 9112 3.2.2). */
function pathOf(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?]*/i, "").replace(/\?.*$/, "");
  return path === "" ? "/" : path;
}

/** RFC 9110 13.1.2: a list, or `*`; compared weakly. Ours have no comma. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((each) => {
    const tag = each.trim().replace(/^W\//, "");
    return tag === "*" || tag === etag;
  });
}

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, "text/plain; charset=utf-8", `${text}\n`);
}

/** To a HEAD Node sends the same headers and no content. */
function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, { "content-type": type, "content-length": body.length }).end(body);
}
