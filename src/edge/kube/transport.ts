/** Requests and streams by the credentials of now; an answer that is no success is an error. It has no bounds and no deadlines. */

import { unlessAborted } from "../../core/unless-aborted.ts";
import { answerError } from "./answer-error.ts";
import { collect, type HttpAnswer } from "./http-answer.ts";
import { exchange } from "./http-exchange.ts";
import type { StreamRequest } from "./http2-request.ts";
import type { KubeAccess } from "./kube-access.ts";
import { Pools, type Pool } from "./pools.ts";

/** What is sent; as JSON. */
export interface SentRequest {
  /** @default GET */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Which kind a PATCH is of. @default application/json */
  readonly contentType?: string;
  /** It changes nothing, or the same when it comes twice. @default of GET alone */
  readonly isRepeatable?: boolean;
}

const errorBytesMax = 65_536;
const commonHeaders = {
  accept: "application/json, application/jwk-set+json",
  "user-agent": "portcullis",
} as const;

export class Transport implements Disposable {
  readonly #server: URL;
  readonly #pools: Pools;

  /** @param socketsMax for requests; what streams share is beside them */
  constructor(access: KubeAccess, socketsMax: number) {
    this.#server = access.server;
    this.#pools = new Pools(access, socketsMax);
  }

  /** @throws KubeError; the reason of the signal */
  async request(request: SentRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { method = "GET", path, isRepeatable = method === "GET" } = request;
    const { contentType = "application/json" } = request;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return await this.#good(whatOf(request), signal, async (pool) => {
      const headers = {
        ...pool.headers,
        ...commonHeaders,
        ...(body && { "content-type": contentType }),
      };
      const [url, agent] = [this.#urlOf(path), pool.requests];
      return await exchange({ url, agent, method, headers, body, isRepeatable, signal });
    });
  }

  /** @throws KubeError; the reason of the signal */
  async stream(request: Omit<StreamRequest, "headers">): Promise<HttpAnswer> {
    const { path, idleMs, signal, isAlive } = request;
    const url = this.#urlOf(path);
    return await this.#good(whatOf(request), signal, async (pool) => {
      const headers = { ...pool.headers, ...commonHeaders };
      const sent = { headers, idleMs, signal };
      const shared = await pool.session?.request({
        ...sent,
        isAlive,
        path: url.pathname + url.search,
      });
      if (shared !== undefined) return shared;
      const agent = pool.streams;
      return await exchange({ ...sent, url, agent, method: "GET", isRepeatable: true });
    });
  }

  /** Whether all streams are over one connection. */
  get isShared(): boolean {
    return this.#pools.isShared;
  }

  /** The streams that are open fail, and those that come get another connection. */
  cutStreams(): void {
    this.#pools.cutSession();
  }

  [Symbol.dispose](): void {
    this.#pools[Symbol.dispose]();
  }

  /** Once more where the credentials are refused: their file may have others by now. */
  async #good(
    what: string,
    signal: AbortSignal,
    ask: (pool: Pool) => Promise<HttpAnswer>,
  ): Promise<HttpAnswer> {
    let refused: Pool | undefined;
    for (;;) {
      signal.throwIfAborted();
      const pool = await unlessAborted(this.#pools.current(refused), signal);
      const answer = await ask(pool);
      const { status, retryAfter } = answer;
      if (status >= 200 && status < 300) return answer;
      const text = await collect(answer, { what, bytesMax: errorBytesMax, signal });
      if (status !== 401 || refused !== undefined) {
        const unread = this.#pools.failure?.message;
        throw answerError(what, { status, text, retryAfter, unread });
      }
      refused = pool;
    }
  }

  #urlOf(path: string): URL {
    return new URL(this.#server.pathname.replace(/\/$/, "") + path, this.#server);
  }
}

/** Without a query, and never with what is sent: that may be a token. */
export function whatOf({ method = "GET", path }: Pick<SentRequest, "method" | "path">): string {
  return `${method} ${path.split("?", 1)[0]}`;
}
