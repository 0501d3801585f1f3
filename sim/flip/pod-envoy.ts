/** The Envoy of a simulated pod: it takes policies part by part, and connections by what is in force. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { SimEnvoy } from "../policy/envoy.ts";

export class PodEnvoy extends SimEnvoy {
  onGiven: (policy: ProxyPolicy) => void = () => {};
  /** What is in force may be another. */
  onStep: () => void = () => {};

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
