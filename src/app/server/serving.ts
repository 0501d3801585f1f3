/** Keeps the server's own certificate fresh: a new one at half of its life, or when its names change. */

import type { TlsListener } from "../../edge/rpc/tls-listener.ts";
import type { IssueServing, ServingCertificate } from "./serving-certificate.ts";

export interface ServingDependencies {
  readonly issue: IssueServing;
  readonly names: () => readonly string[];
  readonly nowMs: () => number;
  readonly onRenewed: (certificate: ServingCertificate) => void;
  readonly onFailed: (error: unknown) => void;
}

const checkIntervalMs = 60_000;

export class Serving implements Disposable {
  readonly #dependencies: ServingDependencies;
  #timer: NodeJS.Timeout | undefined;
  #certificate: ServingCertificate | undefined;
  readonly #listeners: TlsListener[] = [];
  /** One after the other: an older certificate must not take the place of a newer one. */
  #renewing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(dependencies: ServingDependencies) {
    this.#dependencies = dependencies;
  }

  /** The first one. @throws what keeps it from being signed */
  async open(): Promise<void> {
    this.#certificate = await this.#issue();
    // Looked at on the wall clock, since a suspended machine's timers sleep with it.
    this.#timer = setInterval(() => this.#renewIfDue(), checkIntervalMs).unref();
  }

  /** 0 before it is open. */
  get notAfterMs(): number {
    return this.#certificate?.notAfterMs ?? 0;
  }

  /** SHA-256 of the root that it hangs on, in hex; undefined before it is open. */
  get root(): string | undefined {
    return this.#certificate?.root;
  }

  /** Once it is open. */
  get certificate(): ServingCertificate {
    if (this.#certificate === undefined) throw new TypeError("there is no certificate yet");
    return this.#certificate;
  }

  attach(listener: TlsListener): void {
    this.#listeners.push(listener);
  }

  /** Connections that are open stay on the certificate that they began with. */
  renew(): Promise<void> {
    const renewed = this.#renewing.then(() => this.#renewOnce());
    this.#renewing = renewed.catch(() => {});
    return renewed;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  /**
   * Never rejects: the old one stays where there can be no new one, and the next turn tries again.
   * @returns whether there is a new one
   */
  async tryRenew(): Promise<boolean> {
    try {
      await this.renew();
      return true;
    } catch (error) {
      if (!this.#isClosed) this.#dependencies.onFailed(error);
      return false;
    }
  }

  async #renewOnce(): Promise<void> {
    const certificate = await this.#issue();
    this.#certificate = certificate;
    for (const listener of this.#listeners) listener.renew(certificate);
    this.#dependencies.onRenewed(certificate);
  }

  #renewIfDue(): void {
    if (this.#dependencies.nowMs() >= this.certificate.renewAtMs) void this.tryRenew();
  }

  #issue(): Promise<ServingCertificate> {
    return this.#dependencies.issue(this.#dependencies.names());
  }
}
