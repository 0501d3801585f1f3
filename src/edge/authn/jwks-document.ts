/**
 * Reads the text of a JWK Set from where the cluster publishes it: a file, or a URL such as the API
 * server's `/openid/v1/jwks`. What is read here decides whom the whole mesh believes, so: over the
 * network only with TLS (plain HTTP to this machine excepted), no redirects at all, a bounded size,
 * and the caller's deadline.
 */

import type { IncomingMessage } from "node:http";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { PrivateFileError, readBoundedFile } from "../config/private-files.ts";
import { JwksError } from "./key-set.ts";

export type JwksLocation =
  | { readonly kind: "file"; readonly path: string }
  | {
      readonly kind: "url";
      readonly url: URL;
      /** PEM file with the roots of the server. @default the roots of the runtime */
      readonly caFile?: string | undefined;
      /**
       * File with a bearer token of our own: the API server shows its key set to service accounts
       * only.
       */
      readonly tokenFile?: string | undefined;
    };

/** The set of a cluster has a few keys of about 500 bytes each. */
const DOCUMENT_BYTES_MAX = 64 * 1024;
const CA_BYTES_MAX = 1_048_576;

/** @throws JwksError `jwks-location` if the key set must not be read from there */
export function assertSafeLocation(location: JwksLocation): void {
  if (location.kind === "file") return;
  const { protocol, hostname } = location.url;
  if (protocol === "https:") return;
  if (protocol === "http:" && LOOPBACK.has(hostname)) {
    if (location.tokenFile === undefined) return;
    throw new JwksError("jwks-location", "expected https for a request that carries a token");
  }
  throw new JwksError("jwks-location", `expected https, got ${protocol}//${hostname}`, {
    hint: "plain http is for addresses of this machine only",
  });
}

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** @throws JwksError `jwks-unreadable` (also if `signal` ends it), `jwks-too-large` */
export async function readJwksDocument(
  location: JwksLocation,
  signal: AbortSignal,
): Promise<string> {
  try {
    return location.kind === "file"
      ? Buffer.from(await readBoundedFile(location.path, DOCUMENT_BYTES_MAX)).toString("utf8")
      : await collect(await open(location, signal));
  } catch (cause) {
    if (cause instanceof JwksError) throw cause;
    if (cause instanceof PrivateFileError && cause.code === "file-too-large") {
      throw new JwksError("jwks-too-large", cause.message, { cause });
    }
    const where = location.kind === "file" ? location.path : nameOf(location.url);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JwksError("jwks-unreadable", `cannot read ${where}: ${reason}`, { cause });
  }
}

async function open(
  location: Extract<JwksLocation, { kind: "url" }>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, caFile, tokenFile } = location;
  const headers: Record<string, string> = { accept: "application/jwk-set+json, application/json" };
  // Both files are rotated under us, so they are read each time.
  if (tokenFile !== undefined) {
    headers["authorization"] = `Bearer ${await readToken(tokenFile)}`;
  }
  const ca =
    caFile === undefined ? undefined : Buffer.from(await readBoundedFile(caFile, CA_BYTES_MAX));
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // A connection of its own: a pooled one would have died since the last time.
  const options = { agent: false, headers, signal };
  const request =
    url.protocol === "https:"
      ? httpsRequest(url, { ...options, ca, rejectUnauthorized: true }, resolve)
      : httpRequest(url, options, resolve);
  request.on("error", reject).end();
  const response = await promise;
  if (response.statusCode === 200) return response;
  response.destroy();
  throw new JwksError("jwks-unreadable", `${nameOf(url)} answered ${response.statusCode}`, {
    hint: "redirects are not followed",
  });
}

async function readToken(path: string): Promise<string> {
  return Buffer.from(await readBoundedFile(path, DOCUMENT_BYTES_MAX))
    .toString("utf8")
    .trim();
}

/** Without credentials and query, which have no place in a log. */
function nameOf(url: URL): string {
  return url.origin + url.pathname;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > DOCUMENT_BYTES_MAX) {
      throw new JwksError("jwks-too-large", `expected at most ${DOCUMENT_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
