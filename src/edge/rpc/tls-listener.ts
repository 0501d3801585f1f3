/**
 * A TLS port in front of a gRPC server. grpc-js's own credentials have neither an optional client certificate that is
 * verified nor a certificate that can be replaced while connections stay, so the handshake is ours and the secured
 * connection is handed over.
 */

import type { Server } from "@grpc/grpc-js";
import { ServerCredentials } from "@grpc/grpc-js";
import { constants } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type SecureContextOptions, type Server as TlsServer } from "node:tls";
import { listenOn } from "./listen.ts";

export interface ServingIdentity {
  /** PEM: the leaf, then its intermediates. */
  readonly certificateChain: string;
  readonly privateKeyPem: string;
  /** PEM: the roots that a client certificate must chain to, if one comes. */
  readonly clientRoots: string;
}

export interface TlsListenerOptions {
  readonly handshakeTimeoutMs: number;
  readonly connectionsMax: number;
  /** Why a connection was closed before gRPC saw it. */
  readonly onRefused: (reason: ConnectionRefusal) => void;
}

/** A closed set: it is a label. */
export type ConnectionRefusal = "handshake" | "client-certificate" | "connections-max";

export class TlsListener {
  readonly #tls: TlsServer;
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;
  #isDraining = false;

  constructor(grpc: Server, identity: ServingIdentity, options: TlsListenerOptions) {
    this.#injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
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
      if (socket.getPeerX509Certificate() !== undefined && !socket.authorized) {
        options.onRefused("client-certificate");
        socket.destroy();
      } else {
        this.#injector.injectConnection(socket);
      }
    });
  }

  /** @param port 0 picks one. @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    return await listenOn(this.#tls, host, port);
  }

  /** New handshakes use it; connections that are open stay as they are. */
  renew(identity: ServingIdentity): void {
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

function secureContext(identity: ServingIdentity): SecureContextOptions {
  return {
    key: identity.privateKeyPem,
    cert: identity.certificateChain,
    ca: identity.clientRoots,
    minVersion: "TLSv1.2",
    // Resumption would accept a client certificate that has expired or lost its root since (seen with Envoy, and
    // CVE-worthy in SPIRE 1.14). Node keeps no session cache of its own, so without tickets nothing resumes.
    secureOptions: constants.SSL_OP_NO_TICKET,
    honorCipherOrder: true,
  };
}
