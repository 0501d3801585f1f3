/**
 * A TLS port in front of a gRPC server. grpc-js's own credentials have neither an optional client certificate that is
 * verified nor a certificate that can be replaced while connections stay, so the handshake is ours and the secured
 * connection is handed over.
 */

import type { Server } from "@grpc/grpc-js";
import { ServerCredentials } from "@grpc/grpc-js";
import { constants, type X509Certificate } from "node:crypto";
import type { AddressInfo } from "node:net";
import {
  createServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from "node:tls";
import { PortcullisError } from "../../core/error.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { rootAbove } from "../../core/x509/root-above.ts";
import { listenOn } from "./listen.ts";
import type { VerifiedCertificate } from "./peer.ts";
import type { StrangerBounds } from "./stranger-bounds.ts";

export interface ServingIdentity {
  /** PEM: the leaf, then its intermediates. */
  readonly certificateChain: string;
  readonly privateKeyPem: string;
  /** DER: the roots that a client certificate must chain to, if one comes. */
  readonly clientRoots: readonly Uint8Array[];
}

export interface TlsListenerOptions {
  readonly handshakeTimeoutMs: number;
  readonly connectionsMax: number;
  /** Where whoever stays has to show who he is. */
  readonly strangers?: StrangerBounds;
  /** Why a connection was closed before gRPC saw it. */
  readonly onRefused: (reason: ConnectionRefusal) => void;
}

/** A closed set: it is a label. */
export type ConnectionRefusal = "handshake" | "client-certificate" | "connections-max";

export class TlsListener {
  readonly #tls: TlsServer;
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;
  #isDraining = false;
  #roots: readonly Uint8Array[];

  constructor(grpc: Server, identity: ServingIdentity, options: TlsListenerOptions) {
    this.#injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#roots = identity.clientRoots;
    this.#tls = createServer({
      ...secureContext(identity),
      ALPNProtocols: ["h2"],
      // Optional: a newcomer has no certificate yet. One that comes and does not verify ends the connection.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeoutMs,
      noDelay: true,
    });
    this.#tls.maxConnections = options.connectionsMax;
    const { strangers } = options;
    this.#tls.on("connection", (socket) => {
      if (strangers === undefined || strangers.enter(socket)) return;
      options.onRefused("connections-max");
      socket.destroy();
    });
    this.#tls.on("drop", () => options.onRefused("connections-max"));
    this.#tls.on("tlsClientError", (_, socket) => {
      options.onRefused("handshake");
      // After a time-out Node itself leaves it open.
      socket.destroy();
    });
    this.#tls.on("secureConnection", (socket) => {
      socket.on("error", () => socket.destroy());
      // A handshake that ends after the drain has begun would hold the process until the connection is idle.
      if (this.#isDraining) {
        socket.destroy();
        return;
      }
      if (this.#knowPeer(socket)) return this.#injector.injectConnection(socket);
      options.onRefused("client-certificate");
      socket.destroy();
    });
  }

  /** Of the connection, for its calls: grpc-js asks its socket, and gives them nothing else of it. @returns whether it may stay */
  #knowPeer(socket: TLSSocket): boolean {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return true;
    const peer = socket.authorized ? verifiedCertificate(leaf, this.#roots) : undefined;
    Object.assign(socket, { getPeerCertificate: () => peer });
    return peer !== undefined;
  }

  /** @param port 0 picks one. @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    return await listenOn(this.#tls, host, port);
  }

  /** New handshakes use it; connections that are open stay as they are. */
  renew(identity: ServingIdentity): void {
    this.#roots = identity.clientRoots;
    this.#tls.setSecureContext(secureContext(identity));
  }

  /**
   * Takes no more connections, and lets those that are open finish their calls.
   * @returns when they have, or the time is over
   */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const closed = Promise.withResolvers<void>();
    this.#tls.close(() => closed.resolve());
    this.#injector.drain(graceMs);
    const over = setTimeout(closed.resolve, graceMs);
    await closed.promise.finally(() => clearTimeout(over));
  }
}

/**
 * The certificate of the other end, and the root that has verified it, which may be taken away while the connection stays.
 *
 * @returns undefined for one that does not hang on a root of now, and could when the handshake began
 */
function verifiedCertificate(
  leaf: X509Certificate,
  roots: readonly Uint8Array[],
): VerifiedCertificate | undefined {
  const sent: Uint8Array[] = [];
  for (let each = leaf.issuerCertificate; each !== undefined; each = each.issuerCertificate) {
    sent.push(each.raw);
  }
  try {
    const root = rootAbove(leaf.raw, sent, roots);
    return root && { raw: leaf.raw, root };
  } catch (error) {
    if (error instanceof PortcullisError) return undefined;
    throw error;
  }
}

function secureContext(identity: ServingIdentity): SecureContextOptions {
  return {
    key: identity.privateKeyPem,
    cert: identity.certificateChain,
    ca: encodeCertificates(identity.clientRoots),
    minVersion: "TLSv1.2",
    // Resumption would accept a client certificate that has expired or lost its root since (seen with Envoy, and
    // CVE-worthy in SPIRE 1.14). Node keeps no session cache of its own, so without tickets nothing resumes.
    secureOptions: constants.SSL_OP_NO_TICKET,
    honorCipherOrder: true,
  };
}
