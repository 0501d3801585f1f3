/** One GET over a shared HTTP/2 connection, and its answer as a stream. */

import { constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { HttpAnswer } from "./http-answer.ts";
import { asKubeError } from "./kube-error.ts";

export interface StreamRequest {
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Cuts it off until it is read. */
  readonly signal: AbortSignal;
  /** It is cut off when nothing has come for so long. */
  readonly idleMs: number;
  /** Asked then: whether the silence says nothing, as the connection is known to live. @default false */
  readonly isAlive?: (() => boolean) | undefined;
}

/**
 * @returns undefined where the server has not looked at it, because it ends this connection (RFC 9113 8.7)
 * @throws KubeError `kube-unreachable`; the reason of the signal
 */
export async function requestOver(
  session: ClientHttp2Session,
  { path, headers, signal, idleMs, isAlive }: StreamRequest,
): Promise<HttpAnswer | undefined> {
  let stream: ClientHttp2Stream | undefined;
  // One that is aborted already never tells: it would be waited for, for ever.
  signal.throwIfAborted();
  try {
    stream = session.request({ ...headers, ":method": "GET", ":path": path });
    cutOff(stream, { signal, idleMs, isAlive });
    return await answerOf(stream);
  } catch (error) {
    signal.throwIfAborted();
    if (stream?.rstCode === constants.NGHTTP2_REFUSED_STREAM) return undefined;
    throw asKubeError(error, `GET ${path.split("?", 1)[0]}`);
  }
}

function cutOff(
  stream: ClientHttp2Stream,
  { signal, idleMs, isAlive }: Pick<StreamRequest, "signal" | "idleMs" | "isAlive">,
): void {
  const onAbort = (): void => void stream.destroy(new Error("aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  stream.once("close", () => signal.removeEventListener("abort", onAbort));
  // It tells once, and is wound up by octets, or anew.
  stream.setTimeout(idleMs);
  stream.on("timeout", () => {
    if (isAlive?.() === true) stream.setTimeout(idleMs);
    else stream.destroy(new Error(`expected a word each ${idleMs} ms, got none`));
  });
}

async function answerOf(stream: ClientHttp2Stream): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  stream.once("response", (headers) => {
    const status = Number(headers[constants.HTTP2_HEADER_STATUS] ?? 0);
    resolve({ status, retryAfter: headers["retry-after"], body: wholeOf(stream) });
  });
  stream.once("close", () => reject(new Error("it ended without an answer")));
  // Also after the answer: then it is its reader's to tell.
  stream.on("error", reject);
  stream.end();
  return await promise;
}

/** To Node, a stream whose connection is gone has ended like any other. */
async function* wholeOf(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
  if (stream.rstCode === constants.NGHTTP2_NO_ERROR) return;
  throw new Error("its connection was cut");
}
