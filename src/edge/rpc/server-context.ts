/** An HTTPS server of ours that asks for no client certificate: versions, ciphers, no resumption, and bounds for strangers. */

import { constants } from "node:crypto";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { SecureContextOptions } from "node:tls";

export interface WebIdentity {
  /** PEM: the leaf, then its intermediates. */
  readonly certificateChain: string;
  readonly privateKeyPem: string;
}

/** Of TLS 1.2 what Mozilla's intermediate profile has without finite-field groups. */
const ciphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

export function serverContext({
  certificateChain,
  privateKeyPem,
}: WebIdentity): SecureContextOptions {
  return {
    key: privateKeyPem,
    cert: certificateChain,
    minVersion: "TLSv1.2",
    ciphers,
    // A resumed session would not look at a renewed certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** By when a request must have come, from its handshake on. */
export const requestMs = 10_000;
const headerBytesMax = 8_192;

/** @param keepAliveMs how long a connection is kept that nobody uses */
export function strangersServer(
  identity: WebIdentity,
  keepAliveMs: number,
  onRequest: RequestListener,
): Server {
  const options = {
    ...serverContext(identity),
    handshakeTimeout: requestMs,
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    // Otherwise the limits above are looked at twice a minute.
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: headerBytesMax,
  };
  const server = createServer(options, onRequest);
  // After a time-out of the handshake Node itself leaves the connection open.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return server;
}
