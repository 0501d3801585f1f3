/** How many proxies are kept, of whom: one identity, compromised, must not fill the memory for all others. As many as the roll takes. */

import { Counts } from "./counts.ts";

const allMax = 20_000;
const perIdentityMax = 5_000;
/** Of one identity at one agent: a node agent speaks for many. */
const perReporterMax = 256;

export class ProxyPlaces {
  readonly #ofIdentity = new Counts();
  readonly #ofReporter = new Counts();
  #taken = 0;

  /** @param agent by `agentKey` */
  hasRoom(agent: string, spiffeId: string): boolean {
    return (
      this.#taken < allMax &&
      this.#ofIdentity.get(spiffeId) < perIdentityMax &&
      this.#ofReporter.get(`${agent} ${spiffeId}`) < perReporterMax
    );
  }

  /** @param count -1: one of its proxies is not kept any more */
  take(agent: string, spiffeId: string, count: 1 | -1): void {
    this.#taken += count;
    this.#ofIdentity.add(spiffeId, count);
    this.#ofReporter.add(`${agent} ${spiffeId}`, count);
  }
}
