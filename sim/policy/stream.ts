/** A simulated stream between an agent and the server: what is on its way, each way in order. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";

export interface SimReport extends Omit<ProxyReport, "isAnswered"> {
  /** Of what was sent on the stream it says what came of as many. */
  readonly answered: number;
}

export class SimStream {
  readonly key: string;
  readonly up: SimReport[] = [];
  readonly down: ProxyPolicy[] = [];
  /** Policies: of as many as were answered the agent says what came of them. */
  sent = 0;
  read = 0;
  answered = 0;
  isCut = false;

  constructor(key: string) {
    this.key = key;
  }
}
