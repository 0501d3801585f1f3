/** A simulated stream between an agent and the server: what is on its way, each way in order. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";

export class SimStream {
  readonly key: string;
  readonly up: ProxyReport[] = [];
  readonly down: ProxyPolicy[] = [];
  isCut = false;

  constructor(key: string) {
    this.key = key;
  }
}
