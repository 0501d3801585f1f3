/** TLS of an HTTPS server of ours that asks for no client certificate: versions, ciphers, no resumption. */

import { constants } from "node:crypto";
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
