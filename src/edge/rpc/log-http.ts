/**
 * The transparency log for monitors, over plain HTTP: its checkpoint and the tiles of its tree (C2SP tlog-tiles), below
 * `/log/`. Hashes only: what the entries say is for operators. A request reads 256 rows at most.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { LogError } from "../../core/log/log-error.ts";
import { parseTilePath, TILE_WIDTH } from "../../core/log/tile.ts";

/** As LogReader does. */
export interface LogHttpSource {
  head(): { readonly checkpoint: string };
  tile(level: number, index: number, width: number): Uint8Array | undefined;
}

const PREFIX = "/log/";
const headers = {
  /** A checkpoint is old as soon as the log has grown. */
  mutable: "no-cache",
  immutable: "public, max-age=31536000, immutable",
  /** Of use until it is full. */
  partial: "public, max-age=60",
  error: "no-store",
} as const;

interface LogAnswer {
  readonly status: number;
  readonly type: string;
  readonly caching: string;
  readonly body: Uint8Array;
}

/**
 * Answers what is asked of the log.
 * @param source asked at each request; undefined while there is no log
 * @returns whether it was
 */
export function serveLog(
  source: () => LogHttpSource | undefined,
  { method = "", url = "" }: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!url.startsWith(PREFIX)) return false;
  const { status, type, caching, body } = answer(source, method, url.slice(PREFIX.length));
  response.writeHead(status, {
    "content-type": type,
    "content-length": body.length,
    "cache-control": caching,
    "x-content-type-options": "nosniff",
    ...(status === 405 && { allow: "GET, HEAD" }),
  });
  response.end(method === "HEAD" ? undefined : body);
  return true;
}

function answer(source: () => LogHttpSource | undefined, method: string, path: string): LogAnswer {
  if (method !== "GET" && method !== "HEAD") return plain(405, "expected GET or HEAD");
  try {
    const log = source();
    if (log === undefined) return plain(503, "the log is not open yet");
    if (path === "checkpoint") return plain(200, log.head().checkpoint, headers.mutable);
    return tileAnswer(log, path);
  } catch {
    // A log that cannot be read says so at /readyz and in its own errors; a stranger learns nothing of it.
    return plain(500, "the log cannot be read");
  }
}

function tileAnswer(log: LogHttpSource, path: string): LogAnswer {
  const name = parsePath(path);
  if (name === undefined) return plain(404, "expected checkpoint or tile/<L>/<N>[.p/<W>]");
  if (name.kind === "entries") {
    return plain(403, "entries are for operators: portcullis audit tail, on the server's machine");
  }
  const { level, index, width } = name;
  const tile = log.tile(level, index, width);
  if (tile === undefined) return plain(404, "the tree is not that large yet");
  return {
    status: 200,
    type: "application/octet-stream",
    caching: width === TILE_WIDTH ? headers.immutable : headers.partial,
    body: tile,
  };
}

function parsePath(path: string): ReturnType<typeof parseTilePath> | undefined {
  try {
    return parseTilePath(path);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

function plain(status: number, text: string, caching: string = headers.error): LogAnswer {
  const body = Buffer.from(text.endsWith("\n") ? text : `${text}\n`);
  return { status, type: "text/plain; charset=utf-8", caching, body };
}
