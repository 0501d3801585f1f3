/** Keeps the server's own certificate fresh: a new one at half of its life, or when its names change. */

import type { TlsListener } from "../../edge/rpc/tls-listener.ts";
import { issueServingCertificate, type ServingCertificate } from "./serving-certificate.ts";
import type { Trust } from "./trust.ts";

export interface ServingDependencies {
  readonly trust: () => Trust;
  readonly names: () => readonly string[];
  readonly nowMs: () => number;
  readonly onRenewed: (certificate: ServingCertificate) => void;
  readonly onFailed: (error: unknown) => void;
}

const checkIntervalMs = 60_000;

export class Serving implements Disposable {
  readonly #dependencies: ServingDependencies;
  readonly #timer: NodeJS.Timeout;
  #certificate: ServingCertificate;
  #listener: TlsListener | undefined;

  constructor(dependencies: ServingDependencies) {
    this.#dependencies = dependencies;
    this.#certificate = this.#issue();
    // Looked at on the wall clock, since a suspended machine's timers sleep with it.
    this.#timer = setInterval(() => this.#renewIfDue(), checkIntervalMs).unref();
  }

  get certificate(): ServingCertificate {
    return this.#certificate;
  }

  attach(listener: TlsListener): void {
    this.#listener = listener;
  }

  /** Connections that are open stay on the certificate that they began with. */
  renew(): void {
    this.#certificate = this.#issue();
    this.#listener?.renew(this.#certificate);
    this.#dependencies.onRenewed(this.#certificate);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** The old one stays where there can be no new one, and the next turn tries again. */
  tryRenew(): void {
    try {
      this.renew();
    } catch (error) {
      this.#dependencies.onFailed(error);
    }
  }

  #renewIfDue(): void {
    if (this.#dependencies.nowMs() >= this.#certificate.renewAtMs) this.tryRenew();
  }

  #issue(): ServingCertificate {
    const { trust, names, nowMs } = this.#dependencies;
    return issueServingCertificate(trust(), names(), nowMs());
  }
}
