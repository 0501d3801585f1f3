/** Publishes what is held now, and withdraws a certificate at the moment when it expires. */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { secretSnapshot } from "./secrets.ts";
import type { WorkloadSet } from "./workload-set.ts";

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
  /** What is published and will expire. */
  #watched: WorkloadSet | undefined;

  constructor(options: SecretPublisherOptions) {
    this.#options = options;
  }

  publish(set: WorkloadSet): void {
    this.#options.publish(secretSnapshot(set, this.#options.nowMs()));
    this.#watchExpiry(set);
  }

  /** Asked before each answer: a timer that slept with the machine may be late. */
  withdrawExpired(): void {
    const set = this.#watched;
    if (set !== undefined && set.certificate.notAfterMs <= this.#options.nowMs()) {
      this.#watchExpiry(set);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #watchExpiry(set: WorkloadSet): void {
    clearTimeout(this.#timer);
    const { nowMs, events, publish } = this.#options;
    const leftMs = set.certificate.notAfterMs - nowMs();
    this.#watched = leftMs > 0 ? set : undefined;
    if (leftMs <= 0) {
      events.certificateExpired(set.certificate);
      publish(secretSnapshot(set, nowMs()));
      return;
    }
    const delayMs = Math.min(leftMs, longestTimerMs);
    this.#timer = setTimeout(() => this.#watchExpiry(set), delayMs).unref();
  }
}
