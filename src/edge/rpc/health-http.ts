/** The plain HTTP port for scrapers, probes and the log's monitors: `/metrics`, `/healthz`, `/readyz`, `/log/...`. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { listenOn } from "./listen.ts";
import { serveLog, type LogHttpSource } from "./log-http.ts";

export interface HealthHttpOptions {
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Undefined when ready, else what is missing. */
  readonly notReady: () => string | undefined;
  /** For monitors; undefined while it is not open. */
  readonly log: () => LogHttpSource | undefined;
}

export class HealthHttp implements AsyncDisposable {
  readonly #server: Server;

  constructor(options: HealthHttpOptions) {
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (req, res) => {
      if (serveLog(options.log, req, res)) return;
      void respond(options, req.method ?? "", req.url ?? "").then(({ status, type, text }) => {
        res.writeHead(status, { "content-type": type, "cache-control": "no-store" });
        res.end(req.method === "HEAD" ? "" : text);
      });
    });
    this.#server.maxConnections = 64;
  }

  /** @param port 0 picks one. @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    return await listenOn(this.#server, host, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

async function respond(
  options: HealthHttpOptions,
  method: string,
  url: string,
): Promise<HttpAnswer> {
  if (method !== "GET" && method !== "HEAD") return plain(405, "expected GET or HEAD");
  switch (url.replace(/\?.*/, "")) {
    case "/healthz":
      return plain(200, "ok");
    case "/readyz": {
      const missing = options.notReady();
      return missing === undefined ? plain(200, "ok") : plain(503, missing);
    }
    case "/metrics":
      try {
        const { contentType, text } = await options.metrics();
        return { status: 200, type: contentType, text };
      } catch {
        return plain(500, "metrics could not be collected");
      }
    default:
      return plain(404, "expected /metrics, /healthz, /readyz or /log/checkpoint");
  }
}

function plain(status: number, text: string): HttpAnswer {
  return { status, type: "text/plain; charset=utf-8", text: `${text}\n` };
}
