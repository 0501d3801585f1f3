/** The Envoy of a simulated pod: it takes policies part by part, and connections by what is in force. */

import type { OutboundEndpoint, ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { SimEnvoy } from "../policy/envoy.ts";

export class PodEnvoy extends SimEnvoy {
  readonly #address: string;
  onGiven: (policy: ProxyPolicy) => void = () => {};
  /** What is in force may be another. */
  onStep: () => void = () => {};

  constructor(address: string) {
    super(true);
    this.#address = address;
  }

  /** In force at a port; undefined where nobody listens. */
  modeOf(port: number): ServerMode | undefined {
    // Without an entry it listens on all addresses.
    return this.modeAt(this.#address, port) ?? this.modeAt("0.0.0.0", port);
  }

  /** Whom it may call, and what it sends. */
  get endpoints(): readonly OutboundEndpoint[] {
    return Array.from(this.clusters, ({ endpoints }) => endpoints).flat();
  }

  override give(policy: ProxyPolicy): void {
    this.onGiven(policy);
    super.give(policy);
  }

  override step(chance: number): void {
    super.step(chance);
    this.onStep();
  }

  override restart(): void {
    super.restart();
    this.onStep();
  }
}
