/**
 * One handshake with a listener of an Envoy of ours, under a canary's certificate. A refused certificate arrives after the handshake
 * (TLS 1.3), so an answer is waited for: no silence is taken for a yes.
 */

import { connect, type TLSSocket } from "node:tls";
import { parseCertificate } from "../../core/x509/certificate.ts";

export interface CanaryTarget {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** Whom the listener must prove to be. */
  readonly spiffeId: string;
}

/** PEM. */
export interface CanaryIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

export interface CanaryHandshakeOptions {
  readonly serverName: string;
  readonly identity: CanaryIdentity;
  /** PEM, that the listener is verified by. */
  readonly roots: string;
  readonly timeoutMs: number;
  /** Ends it: then it has failed. */
  readonly signal: AbortSignal;
}

const wanted = /^HTTP\/1\.1 200 /;
const answerLengthMax = 1_024;

/** Never rejects. @returns for people why not; undefined where the listener has taken the certificate */
export function tryHandshake(
  { host, port, spiffeId }: CanaryTarget,
  { serverName, identity, roots, timeoutMs, signal }: CanaryHandshakeOptions,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let socket: TLSSocket;
  try {
    socket = connect({
      host,
      port,
      servername: serverName,
      cert: identity.certificateChain,
      key: identity.privateKey,
      ca: roots,
      minVersion: "TLSv1.2",
      // The listener's name is a SPIFFE ID, and is looked at below.
      checkServerIdentity: () => undefined,
    });
  } catch (error) {
    return Promise.resolve(wordsOf(error));
  }
  const end = (failure: string | undefined): void => {
    resolve(failure);
    socket.destroy();
  };
  const timer = setTimeout(() => end(`no answer within ${timeoutMs / 1_000} s`), timeoutMs);
  const onAbort = (): void => end("it was ended");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  let answer = "";
  socket.on("secureConnect", () => {
    const wrong = wrongPeer(socket, spiffeId);
    if (wrong !== undefined) end(wrong);
    else socket.write(`GET / HTTP/1.1\r\nhost: ${serverName}\r\nconnection: close\r\n\r\n`);
  });
  socket.on("data", (data: Buffer) => {
    answer += data.toString("latin1");
    if (wanted.test(answer)) end(undefined);
    else if (answer.includes("\n") || answer.length > answerLengthMax) {
      end(`expected an answer with 200, got ${JSON.stringify(answer.slice(0, 64))}`);
    }
  });
  socket.on("error", (error) => end(wordsOf(error)));
  socket.on("close", () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    resolve("the connection was closed without an answer");
  });
  return promise;
}

/** The chain holds already. */
function wrongPeer(socket: TLSSocket, spiffeId: string): string | undefined {
  try {
    const { uris } = parseCertificate(Uint8Array.from(socket.getPeerCertificate().raw));
    if (uris.length === 1 && uris[0] === spiffeId) return undefined;
    return `expected ${spiffeId} to listen there, got ${uris.join(", ") || "no SPIFFE ID"}`;
  } catch {
    return "the listener's certificate cannot be read";
  }
}

/** OpenSSL's own, where it has some. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  return "reason" in error && typeof error.reason === "string" ? error.reason : error.message;
}
