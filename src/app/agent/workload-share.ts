/** What one workload of a node has of the streams on which Envoys tell: none takes the room, or the memory, of others. */

/** An Envoy opens one for each of its threads. */
const streamsMax = 128;
/** A pod has one Envoy; names that it makes up cost memory each. */
const proxiesMax = 8;

export class WorkloadShare {
  #streams = 0;
  /** Streams by proxy. */
  readonly #proxies = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#streams === 0;
  }

  get hasStream(): boolean {
    return this.#streams < streamsMax;
  }

  open(): void {
    this.#streams += 1;
  }

  close(): void {
    this.#streams -= 1;
  }

  hasProxy(proxyId: string): boolean {
    return this.#proxies.has(proxyId) || this.#proxies.size < proxiesMax;
  }

  /** A stream is of that proxy. @returns what says that it has ended */
  hold(proxyId: string): () => void {
    this.#proxies.set(proxyId, (this.#proxies.get(proxyId) ?? 0) + 1);
    return () => {
      const left = (this.#proxies.get(proxyId) ?? 0) - 1;
      if (left > 0) this.#proxies.set(proxyId, left);
      else this.#proxies.delete(proxyId);
    };
  }
}
