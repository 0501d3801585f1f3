/**
 * Fetches another trust domain's bundle from its endpoint (SPIFFE Federation 5). URL and profile are what the operator
 * said, and nothing is inferred from one another or learnt from the answer (5.1). Redirects are refused, which the
 * standard allows: where the bundle is stays the operator's decision.
 */

import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { PortcullisError } from "../../core/error.ts";
import { parseBundleDocument, type BundleDocument } from "../../core/spiffe/bundle-document.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { authenticatedPeer } from "./peer.ts";

export type EndpointProfile =
  /** The certificate of the web's PKI, for the name in the URL; `roots` instead of the system's. */
  | { readonly kind: "https_web"; readonly roots: readonly Uint8Array[] | undefined }
  /** An X509-SVID of exactly this ID, under the roots of its trust domain. */
  | {
      readonly kind: "https_spiffe";
      readonly endpointId: SpiffeId;
      readonly roots: readonly Uint8Array[];
    };

export type BundleClientErrorCode =
  | "bundle-endpoint-url"
  | "bundle-endpoint-unreachable"
  | "bundle-endpoint-untrusted"
  | "bundle-endpoint-redirect"
  | "bundle-endpoint-status"
  | "bundle-endpoint-too-large"
  | "bundle-endpoint-encoding";

export class BundleClientError extends PortcullisError<BundleClientErrorCode> {
  override name = "BundleClientError";
}

export interface FetchedBundle {
  readonly document: BundleDocument;
  /** As it came. */
  readonly text: string;
}

const timeoutMs = 10_000;
const documentBytesMax = 1_048_576;

/** @throws BundleClientError, BundleDocumentError; the reason of `signal` when it is aborted */
export async function fetchBundleDocument(
  url: URL,
  profile: EndpointProfile,
  signal: AbortSignal,
): Promise<FetchedBundle> {
  signal.throwIfAborted();
  const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const bytes = await get(url, { ...tlsOptions(profile), signal: both });
    if (!isUtf8(bytes)) {
      throw new BundleClientError("bundle-endpoint-encoding", `${url.href}: expected UTF-8`);
    }
    const text = bytes.toString();
    return { document: parseBundleDocument(text), text };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof PortcullisError ? error : connectionError(url, error);
  }
}

/** SPIFFE Federation 5.2.1.1, 5.2.2.1. @throws BundleClientError */
export function parseEndpointUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:" && url.username === "" && url.password === "") return url;
  // A password is not repeated.
  throw new BundleClientError(
    "bundle-endpoint-url",
    "expected an https URL without a user name in it",
  );
}

/** @throws BundleClientError without a root: Node would take the system's */
function tlsOptions(profile: EndpointProfile): RequestOptions {
  if (profile.roots?.length === 0) {
    const message = "expected a root to verify the endpoint with, got none";
    throw new BundleClientError("bundle-endpoint-untrusted", message);
  }
  const common: RequestOptions = { agent: false, minVersion: "TLSv1.2", rejectUnauthorized: true };
  if (profile.kind === "https_web") {
    return profile.roots === undefined
      ? common
      : { ...common, ca: encodeCertificates(profile.roots) };
  }
  const { endpointId, roots } = profile;
  return {
    ...common,
    ca: encodeCertificates(roots),
    // Who it is stands in the URI SAN; the host's name means nothing (5.2.2.2).
    checkServerIdentity: (_, { raw }) => identityProblem(raw, endpointId),
  };
}

function identityProblem(raw: Uint8Array, expected: SpiffeId): Error | undefined {
  let problem = "expected an X509-SVID";
  try {
    const { id } = authenticatedPeer({ sslPeerCertificate: { raw } });
    if (id.equals(expected)) return undefined;
    problem = `expected ${expected.toString()}, got ${id.toString()}`;
  } catch (error) {
    if (error instanceof PortcullisError) problem = error.message;
  }
  return new BundleClientError("bundle-endpoint-untrusted", problem);
}

async function get(url: URL, options: RequestOptions): Promise<Buffer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: "application/json", connection: "close" };
    request(url, { ...options, headers }, resolve)
      .on("error", reject)
      .end();
  });
  const { statusCode = 0, headers } = response;
  try {
    if (statusCode >= 300 && statusCode < 400) {
      const to = JSON.stringify(headers.location ?? "nowhere");
      throw new BundleClientError("bundle-endpoint-redirect", `${url.href}: redirects to ${to}`, {
        hint: "redirects are not followed: if you trust that address, name it",
      });
    }
    if (statusCode !== 200) {
      const message = `${url.href}: expected status 200, got ${statusCode}`;
      throw new BundleClientError("bundle-endpoint-status", message);
    }
    return await readBody(url, response);
  } finally {
    response.destroy();
  }
}

async function readBody(url: URL, response: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > documentBytesMax) {
      const message = `${url.href}: expected a document of at most ${documentBytesMax} bytes`;
      throw new BundleClientError("bundle-endpoint-too-large", message);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Of OpenSSL's verification and of Node's check of names. */
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|INVALID_PURPOSE|HOSTNAME_MISMATCH/;

function connectionError(url: URL, cause: unknown): BundleClientError {
  const { code = "", message } = cause as { code?: string; message?: string };
  const text = `${url.href}: ${message ?? "no connection"}`;
  if (untrusted.test(code)) {
    return new BundleClientError("bundle-endpoint-untrusted", text, {
      cause,
      hint: "is this the endpoint's profile, and are these its roots?",
    });
  }
  return new BundleClientError("bundle-endpoint-unreachable", text, { cause });
}
