/** A connection to the API server that goes on as a WebSocket (RFC 6455 4.1). It is of its own, and never shared. */

import { hash, randomBytes } from "node:crypto";
import { IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { answerError } from "../answer-error.ts";
import { within } from "../deadline.ts";
import { collect } from "../http-answer.ts";
import type { KubeAccess } from "../kube-access.ts";
import { asKubeError, KubeError } from "../kube-error.ts";

export interface UpgradeOptions {
  /** With its query. */
  readonly path: string;
  readonly protocol: string;
  /** Until it is a WebSocket. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Upgraded {
  readonly socket: Duplex;
  /** What has come already. */
  readonly head: Buffer;
}

const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const errorBytesMax = 65_536;

/** @throws KubeError; the reason of the signal */
export async function upgrade(access: KubeAccess, options: UpgradeOptions): Promise<Upgraded> {
  const what = `GET ${options.path.split("?", 1)[0]}`;
  return await within(what, options.deadlineMs, [options.signal], async (signal) => {
    const answer = await ask(access, options, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw asKubeError(error, what);
    });
    if (!(answer instanceof IncomingMessage)) return answer;
    const { statusCode: status = 0, headers } = answer;
    const read = { status, retryAfter: headers["retry-after"], body: answer };
    const text = await collect(read, { what, bytesMax: errorBytesMax, signal });
    throw answerError(what, { status, text, retryAfter: read.retryAfter });
  });
}

async function ask(
  access: KubeAccess,
  { path, protocol }: Pick<UpgradeOptions, "path" | "protocol">,
  signal: AbortSignal,
): Promise<Upgraded | IncomingMessage> {
  const { headers, tls } = await access.credentials();
  const { serverName, ...files } = tls;
  const { server } = access;
  const url = new URL(server.pathname.replace(/\/$/, "") + path, server);
  const key = randomBytes(16).toString("base64");
  const open = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = open(url, {
    agent: false,
    ...files,
    ...(serverName !== undefined && { servername: serverName }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    signal,
    headers: {
      ...headers,
      "user-agent": "portcullis",
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
      "sec-websocket-protocol": protocol,
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Upgraded | IncomingMessage>();
  request.once("response", resolve);
  request.on("error", reject);
  request.once("upgrade", (response, socket, head) => {
    // The connection is another's now: the deadline's end is not its end.
    socket.on("error", () => {});
    const said = response.headers;
    const accept = hash("sha1", key + acceptSuffix, "base64");
    if (said["sec-websocket-accept"] === accept && said["sec-websocket-protocol"] === protocol) {
      return resolve({ socket, head });
    }
    socket.destroy();
    const got = JSON.stringify(said["sec-websocket-protocol"] ?? "none");
    reject(new KubeError("kube-answer", `expected the protocol ${protocol}, got ${got}`));
  });
  request.end();
  return await promise;
}
