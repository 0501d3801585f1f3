/** One HTTP/1.1 request over kept connections, and its answer as a stream. */

import { request as httpRequest, type Agent } from "node:http";
import { request as httpsRequest } from "node:https";
import type { HttpAnswer } from "./http-answer.ts";
import { keepAlive } from "./keep-alive.ts";
import { asKubeError } from "./kube-error.ts";

export interface Exchange {
  readonly url: URL;
  readonly agent: Agent;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Whether it may be sent again without a word from the server to the first. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal;
  /** The connection is cut when nothing has moved on it for so long. */
  readonly idleMs?: number | undefined;
}

/** An API server that has ended leaves us connections of which nobody has told us yet. */
const staleMax = 3;

/**
 * @returns the answer, whatever its status; `signal` cuts it off until it is read
 * @throws KubeError `kube-unreachable`; the reason of `signal`
 */
export async function exchange(of: Exchange): Promise<HttpAnswer> {
  for (let stale = 0; ; stale++) {
    // One that is aborted already never tells: it would be waited for, for ever.
    of.signal.throwIfAborted();
    const attempt = await send(of);
    if (attempt.kind === "answered") return attempt.answer;
    of.signal.throwIfAborted();
    if (attempt.isStale && of.isRepeatable && stale < staleMax) continue;
    throw asKubeError(attempt.error, `${of.method} ${of.url.origin}${of.url.pathname}`);
  }
}

type Attempt =
  | { readonly kind: "answered"; readonly answer: HttpAnswer }
  | { readonly kind: "failed"; readonly error: unknown; readonly isStale: boolean };

async function send(of: Exchange): Promise<Attempt> {
  const { url, agent, method, headers, body, signal, idleMs } = of;
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  const open = url.protocol === "https:" ? httpsRequest : httpRequest;
  const length = body === undefined ? {} : { "content-length": `${Buffer.byteLength(body)}` };
  const request = open(url, { agent, method, headers: { ...headers, ...length } });
  const onAbort = (): void => void request.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  request.once("close", () => signal.removeEventListener("abort", onAbort));
  if (idleMs !== undefined) {
    request.setTimeout(idleMs, () => {
      request.destroy(new Error(`expected a word each ${idleMs} ms, got none`));
    });
    request.once("socket", keepAlive);
  }
  request.once("response", (response) => {
    const { statusCode: status = 0, headers } = response;
    const answer = { status, retryAfter: headers["retry-after"], body: response };
    resolve({ kind: "answered", answer });
  });
  // Also after the answer: then it is the stream's to tell.
  request.on("error", (error) => {
    resolve({ kind: "failed", error, isStale: request.reusedSocket });
  });
  request.end(body);
  return await promise;
}
