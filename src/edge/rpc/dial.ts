/** A client's TLS connection to a control plane. */

import { Client, credentials } from "@grpc/grpc-js";
import { isIP } from "node:net";
import { checkServerIdentity, type DetailedPeerCertificate, type PeerCertificate } from "node:tls";
import { parsePem } from "../../core/x509/pem.ts";
import { rootAbove } from "../../core/x509/root-above.ts";

export interface DialOptions {
  /** `HOST:PORT`, an IPv6 host in brackets. */
  readonly server: string;
  /** PEM. */
  readonly serverRoots: Uint8Array;
  /** Our own certificate, if the server is to know who calls. */
  readonly identity?: ClientIdentity;
  /** At each handshake: the root (DER) that the server's certificate was verified by. */
  readonly onVerified?: (root: Uint8Array) => void;
}

/** PEM. */
export interface ClientIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/** A connection of its own, never shared with an earlier client of the same target. */
export function dial({ server, serverRoots, identity, onVerified }: DialOptions): Client {
  const host = server.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  // SNI has no addresses (RFC 6066 3), and Node refuses one as a server name: the name that is sent means nothing, and the
  // certificate is held against the address.
  const isAddress = isIP(host) !== 0;
  // Node asks for this when the chain holds, and hands the certificate over with those above it.
  const check = (name: string, certificate: PeerCertificate): Error | undefined => {
    const error = checkServerIdentity(isAddress ? host : name, certificate);
    if (error !== undefined || onVerified === undefined) return error;
    const root = verifiedBy(certificate, serverRoots);
    if (root !== undefined) onVerified(root);
    return undefined;
  };
  const channelCredentials = credentials.createSsl(
    Buffer.from(serverRoots),
    identity ? Buffer.from(identity.privateKey) : null,
    identity ? Buffer.from(identity.certificateChain) : null,
    { checkServerIdentity: (name, certificate) => check(name, certificate) },
  );
  return new Client(server, channelCredentials, {
    "grpc.enable_retries": 0,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_receive_message_length": responseBytesMax,
    "grpc.use_local_subchannel_pool": 1,
    ...(isAddress && { "grpc.ssl_target_name_override": "address.invalid" }),
  });
}

const responseBytesMax = 1_048_576;

/**
 * Node verified it by one of the roots; what it calls the issuers goes by names, and only a signature tells by which. Undefined
 * where ours cannot read what OpenSSL could: nothing is learned then.
 */
function verifiedBy(leaf: PeerCertificate, rootsPem: Uint8Array): Uint8Array | undefined {
  const above: Uint8Array[] = [];
  let last = leaf as Partial<DetailedPeerCertificate> & PeerCertificate;
  while (last.issuerCertificate !== undefined && last.issuerCertificate !== last) {
    last = last.issuerCertificate;
    above.push(Uint8Array.from(last.raw));
  }
  try {
    return rootAbove(Uint8Array.from(leaf.raw), above, wholeRoots(rootsPem));
  } catch {
    return undefined;
  }
}

/** A file that is being written may end in the middle of a certificate: OpenSSL takes those before it. */
function wholeRoots(pem: Uint8Array): readonly Uint8Array[] {
  const blocks = Buffer.from(pem).toString().match(wholeBlock) ?? [];
  return parsePem(blocks.join("\n"), "CERTIFICATE", { blocksMax: rootsMax });
}

const wholeBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const rootsMax = 64;
