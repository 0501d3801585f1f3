/**
 * What an agent is called: as it called itself when it asked for the certificate that it comes with, by the log. So a name more
 * costs a certificate more, and those are rated; what an agent calls itself on a stream would cost nothing.
 */

import { LRUCache } from "lru-cache";
import type { Peer } from "../../../edge/rpc/peer.ts";

export interface AgentNameDependencies {
  /** The agent that the log has with a certificate; "" or undefined where it names none. */
  readonly find: (serialHex: string) => string | undefined;
}

const certificatesRemembered = 16_384;

export class AgentNames {
  readonly #dependencies: AgentNameDependencies;
  readonly #names = new LRUCache<string, string>({ max: certificatesRemembered });

  constructor(dependencies: AgentNameDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @param claimed "" by one that says nothing
   * @returns the first that it claimed, where the log names none
   */
  nameOf({ serialHex }: Pick<Peer, "serialHex">, claimed: string): string {
    const known = this.#names.get(serialHex);
    if (known !== undefined) return known;
    const name = this.#dependencies.find(serialHex) || claimed;
    if (name !== "") this.#names.set(serialHex, name);
    return name;
  }
}
