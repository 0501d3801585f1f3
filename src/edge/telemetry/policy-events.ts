/** What happens to policies on their way to proxies, one function for each event. */

import { refWords, type ResourceRef } from "../../core/resources/resource.ts";
import type { Logger } from "./logger.ts";

/** Of which proxy. */
export interface EventProxy {
  readonly spiffeId: string;
  readonly proxyId: string;
  readonly agentId: string;
}

export class PolicyLog {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  refused(
    proxy: EventProxy,
    detail: string,
    resources: readonly string[],
    objects: readonly ResourceRef[],
  ): void {
    this.#log.warn(
      {
        event: "policy-refused",
        ...proxy,
        detail,
        resources,
        objects: objects.map(refWords),
      },
      "a proxy refused a policy, and keeps the last good one",
    );
  }

  tooLarge(proxy: EventProxy, octets: number, octetsMax: number): void {
    this.#log.error(
      { event: "policy-too-large", ...proxy, octets, octetsMax },
      "a proxy has more to do than it can be told: narrow its Sidecar's egress",
    );
  }
}
