/** What scripted control planes have in common: a port that is the same again after a restart, and honest leaves. */

import { randomBytes } from "node:crypto";
import type { Server } from "@grpc/grpc-js";
import { issueServingCertificate } from "./serving.ts";
import { signLeaf } from "../../src/core/issuance/authority.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import type { PublicKey } from "../../src/core/x509/public-key.ts";
import { TlsListener } from "../../src/edge/rpc/tls-listener.ts";
import type { TestAuthority } from "./authority.ts";

export class CaPort {
  /** Of the server's own certificate, from the next opening on. */
  authority: TestAuthority;
  #grpc: Server | undefined;
  #listener: TlsListener | undefined;
  #port = 0;

  constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async open(grpc: Server): Promise<void> {
    const identity = issueServingCertificate(this.authority, ["127.0.0.1"], Date.now());
    const limits = { handshakeTimeoutMs: 5_000, connectionsMax: 100, onRefused: () => {} };
    this.#listener = new TlsListener(grpc, identity, limits);
    this.#grpc = grpc;
    this.#port = (await this.#listener.listen("127.0.0.1", this.#port)).port;
  }

  /** At once, streams and all. */
  close(): void {
    void this.#listener?.drain(0);
    this.#grpc?.forceShutdown();
  }
}

export interface LeafRequest {
  readonly publicKey: PublicKey;
  readonly uris: readonly string[];
  readonly ttlSeconds: number;
}

/** PEM. */
export function signTestLeaf(
  { authority }: TestAuthority,
  { publicKey, uris, ttlSeconds }: LeafRequest,
): string {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const tbs = authority.encodeWorkload({
    serial: randomBytes(16),
    publicKey,
    subjectAltNames: { uris },
    notBeforeMs: (nowSeconds - 120) * 1_000,
    notAfterMs: (nowSeconds + ttlSeconds) * 1_000,
  });
  return encodePem(signLeaf(authority, tbs), "CERTIFICATE");
}
