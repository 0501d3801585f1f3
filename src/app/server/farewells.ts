/**
 * Agents whose workloads end with them: their keys are destroyed, as they say. It stands in the log before it counts, so that
 * a restart knows; one certificate says it once, so that nobody fills the disk with it.
 */

import { LRUCache } from "lru-cache";
import type { LeavingAgent } from "../../core/roll/leaf-owners.ts";
import { goodbyeEvent } from "./goodbye-event.ts";
import type { LogEvent } from "./log-keeper.ts";

export interface FarewellDependencies {
  /** Durable when it resolves. @returns its index. @throws LogError */
  readonly record: (event: LogEvent) => Promise<number>;
  readonly onFailed: (agent: LeavingAgent, error: unknown) => void;
}

const serialsRemembered = 16_384;

export class Farewells {
  readonly #dependencies: FarewellDependencies;
  readonly #heard = new LRUCache<string, true>({ max: serialsRemembered });

  constructor(dependencies: FarewellDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @param serialHex of the certificate that it was said with
   * @returns its index in the log; undefined where it does not count: said before, or not written. Never rejects.
   */
  async take(agent: LeavingAgent, serialHex: string): Promise<number | undefined> {
    if (this.#heard.has(serialHex)) return undefined;
    this.#heard.set(serialHex, true);
    try {
      return await this.#dependencies.record(goodbyeEvent(agent));
    } catch (error) {
      this.#heard.delete(serialHex);
      this.#dependencies.onFailed(agent, error);
      return undefined;
    }
  }
}
