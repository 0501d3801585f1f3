/**
 * How many octets of policies are kept that agents have told and nobody here has made: read, each takes up to twenty times as much. What a
 * proxy is to do, and what was sent to it, costs nothing.
 */

import { reportedPolicyBytesMax } from "../../../edge/rpc/policy-report-messages.ts";
import { Counts } from "./counts.ts";

/** What it has, and what it has refused; what follows was sent by us. */
const perProxyMax = 2 * reportedPolicyBytesMax;
/** Of one identity at one agent. */
const perReporterMax = 4 * 1_048_576;
const perAgentMax = 16 * 1_048_576;
const perIdentityMax = 32 * 1_048_576;

export interface OctetPlace {
  /** Of the proxy. */
  readonly key: string;
  /** By `agentKey`. */
  readonly agent: string;
  readonly spiffeId: string;
}

export class OctetPlaces {
  readonly #ofProxy = new Counts();
  readonly #ofReporter = new Counts();
  readonly #ofAgent = new Counts();
  readonly #ofIdentity = new Counts();

  /** For more than it has. */
  left({ key, agent, spiffeId }: OctetPlace): number {
    return Math.min(
      perProxyMax - this.#ofProxy.get(key),
      perReporterMax - this.#ofReporter.get(`${agent} ${spiffeId}`),
      perAgentMax - this.#ofAgent.get(agent),
      perIdentityMax - this.#ofIdentity.get(spiffeId),
    );
  }

  /** In the place of what it had. */
  set({ key, agent, spiffeId }: OctetPlace, octets: number): void {
    const more = octets - this.#ofProxy.get(key);
    if (more === 0) return;
    this.#ofProxy.add(key, more);
    this.#ofReporter.add(`${agent} ${spiffeId}`, more);
    this.#ofAgent.add(agent, more);
    this.#ofIdentity.add(spiffeId, more);
  }
}
