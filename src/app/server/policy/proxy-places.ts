/** How many proxies are kept, of whom: one identity, compromised, must not fill the memory for all others. As many as the roll takes. */

const allMax = 20_000;
const perIdentityMax = 5_000;
/** Of one identity at one agent: a node agent speaks for many. */
const perReporterMax = 256;

export class ProxyPlaces {
  readonly #ofIdentity = new Map<string, number>();
  readonly #ofReporter = new Map<string, number>();
  #taken = 0;

  /** @param agent by `agentKey` */
  hasRoom(agent: string, spiffeId: string): boolean {
    return (
      this.#taken < allMax &&
      (this.#ofIdentity.get(spiffeId) ?? 0) < perIdentityMax &&
      (this.#ofReporter.get(reporterOf(agent, spiffeId)) ?? 0) < perReporterMax
    );
  }

  take(agent: string, spiffeId: string): void {
    this.#change(reporterOf(agent, spiffeId), spiffeId, 1);
  }

  leave(agent: string, spiffeId: string): void {
    this.#change(reporterOf(agent, spiffeId), spiffeId, -1);
  }

  #change(reporter: string, spiffeId: string, change: 1 | -1): void {
    this.#taken += change;
    count(this.#ofIdentity, spiffeId, change);
    count(this.#ofReporter, reporter, change);
  }
}

function reporterOf(agent: string, spiffeId: string): string {
  return `${agent} ${spiffeId}`;
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const size = (counts.get(key) ?? 0) + change;
  if (size === 0) counts.delete(key);
  else counts.set(key, size);
}
