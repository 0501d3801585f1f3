/**
 * Reads the text of a JWK Set from where the cluster publishes it: a file, a URL, or the API server
 * that this server watches anyway. What is read here decides whom the whole mesh believes, so: over the
 * network only with TLS (plain HTTP to this machine excepted), no redirects at all, a bounded size,
 * and the caller's deadline.
 */

import type { IncomingMessage } from "node:http";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { PortcullisError } from "../../core/error.ts";
import { PrivateFileError, readBoundedFile } from "../config/private-files.ts";
import { JwksError } from "./key-set.ts";

export type JwksLocation =
  | { readonly kind: "file"; readonly path: string }
  /** By somebody who knows where, and makes sure who answers. Its errors say no secret. */
  | {
      readonly kind: "reader";
      readonly name: string;
      readonly read: (signal: AbortSignal) => Promise<string>;
    }
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
  if (location.kind !== "url") return;
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
  if (location.kind === "reader") return await readBy(location, signal);
  return location.kind === "file" ? readFile(location.path) : fetchDocument(location, signal);
}

/** As operators know it: without credentials and query, which have no place in a log. */
export function locationName(location: JwksLocation): string {
  if (location.kind === "reader") return location.name;
  return location.kind === "file" ? location.path : location.url.origin + location.url.pathname;
}

async function readBy(
  { name, read }: Extract<JwksLocation, { kind: "reader" }>,
  signal: AbortSignal,
): Promise<string> {
  let document: string;
  try {
    document = await read(signal);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = cause instanceof PortcullisError ? cause.hint : undefined;
    const options = { cause, ...(hint !== undefined && { hint }) };
    throw new JwksError("jwks-unreadable", `cannot read ${name}: ${reason}`, options);
  }
  if (document.length <= DOCUMENT_BYTES_MAX) return document;
  const reason = `expected at most ${DOCUMENT_BYTES_MAX} characters, got more`;
  throw new JwksError("jwks-too-large", `${name}: ${reason}`);
}

async function readFile(path: string): Promise<string> {
  try {
    return Buffer.from(await readBoundedFile(path, DOCUMENT_BYTES_MAX)).toString("utf8");
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    const { code, message, hint } = error;
    const options = hint === undefined ? {} : { hint };
    // It names the path, and stands for its cause: a log would print both, path and all.
    if (code === "file-too-large") throw new JwksError("jwks-too-large", message, options);
    throw new JwksError("jwks-unreadable", `cannot read ${message}`, options);
  }
}

async function fetchDocument(location: UrlLocation, signal: AbortSignal): Promise<string> {
  const where = locationName(location);
  try {
    return await collect(await open(location, signal), where);
  } catch (cause) {
    if (cause instanceof JwksError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JwksError("jwks-unreadable", `cannot read ${where}: ${reason}`, { cause });
  }
}

type UrlLocation = Extract<JwksLocation, { kind: "url" }>;

async function open(location: UrlLocation, signal: AbortSignal): Promise<IncomingMessage> {
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
  throw new JwksError(
    "jwks-unreadable",
    `${locationName(location)} answered ${response.statusCode}`,
    {
      hint: "redirects are not followed",
    },
  );
}

async function readToken(path: string): Promise<string> {
  return Buffer.from(await readBoundedFile(path, DOCUMENT_BYTES_MAX))
    .toString("utf8")
    .trim();
}

async function collect(stream: AsyncIterable<Uint8Array>, where: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > DOCUMENT_BYTES_MAX) {
      const reason = `expected at most ${DOCUMENT_BYTES_MAX} bytes, got more`;
      throw new JwksError("jwks-too-large", `${where}: ${reason}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
