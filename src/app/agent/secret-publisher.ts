/** Publishes what is held now, and withdraws a certificate at the moment when it expires. */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { isUnder, secretSnapshot, type BundleSecrets, type CertificateSecrets } from "./secrets.ts";

export interface SecretPublisherOptions {
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  readonly publish: (snapshot: Snapshot<SecretEvidence>) => void;
}

/** Looked at again at least so often, since a suspended machine's timers sleep with it. */
const longestTimerMs = 30_000;

export class SecretPublisher implements Disposable {
  readonly #options: SecretPublisherOptions;
  #timer: NodeJS.Timeout | undefined;
  #isWithheld = false;
  /** What is published and will expire. */
  #watched: Held | undefined;

  constructor(options: SecretPublisherOptions) {
    this.#options = options;
  }

  publish(certificate: CertificateSecrets, bundle: BundleSecrets): void {
    const { publish, events, nowMs } = this.#options;
    publish(secretSnapshot(certificate, bundle, nowMs()));
    const isWithheld = !isUnder(certificate, bundle);
    if (isWithheld && !this.#isWithheld) events.certificateWithheld(certificate.certificate);
    this.#isWithheld = isWithheld;
    this.#watchExpiry({ certificate, bundle });
  }

  /** Asked before each answer: a timer that slept with the machine may be late. */
  withdrawExpired(): void {
    const held = this.#watched;
    if (held !== undefined && notAfterMs(held) <= this.#options.nowMs()) this.#watchExpiry(held);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watched = undefined;
  }

  #watchExpiry(held: Held): void {
    clearTimeout(this.#timer);
    const { nowMs, events, publish } = this.#options;
    const leftMs = notAfterMs(held) - nowMs();
    this.#watched = leftMs > 0 ? held : undefined;
    if (leftMs <= 0) {
      events.certificateExpired(held.certificate.certificate);
      publish(secretSnapshot(held.certificate, held.bundle, nowMs()));
      return;
    }
    const delayMs = Math.min(leftMs, longestTimerMs);
    this.#timer = setTimeout(() => this.#watchExpiry(held), delayMs).unref();
  }
}

interface Held {
  readonly certificate: CertificateSecrets;
  readonly bundle: BundleSecrets;
}

function notAfterMs({ certificate }: Held): number {
  return certificate.certificate.notAfterMs;
}
