/**
 * Agents whose workloads end with them: their keys are destroyed, as they say. It stands in the log before it counts, so that
 * a restart knows; one certificate says it once, so that nobody fills the disk with it.
 */

import { LRUCache } from "lru-cache";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { nodeAgentName, type LeavingAgent } from "../../../core/roll/leaf-owners.ts";
import { goodbyeEvent } from "./goodbye-event.ts";
import type { LogEvent } from "../log/log-keeper.ts";

/** What an agent says that it leaves. */
export interface Departure {
  readonly reporter: Reporter;
  /** Of the certificate that it was said with. */
  readonly serialHex: string;
  /** For whom else it speaks: those that it served as a node's agent. */
  readonly identities: readonly string[];
}

export interface FarewellDependencies {
  /** Where the log has the intent of a certificate; undefined unless that agent has asked for it. */
  readonly indexOf: (serialHex: string, agentId: string) => number | undefined;
  /** Of the next entry of the log. */
  readonly nextIndex: () => number;
  /** Durable when it resolves. @throws LogError */
  readonly record: (event: LogEvent) => Promise<void>;
  readonly onFailed: (agent: Reporter, error: unknown) => void;
}

const serialsRemembered = 16_384;

export class Farewells {
  readonly #dependencies: FarewellDependencies;
  readonly #heard = new LRUCache<string, true>({ max: serialsRemembered });

  constructor(dependencies: FarewellDependencies) {
    this.#dependencies = dependencies;
  }

  /** Whether it was said with this certificate, not long ago. */
  hasSaid(serialHex: string): boolean {
    return this.#heard.has(serialHex);
  }

  /** @returns undefined where it does not count: said before, or not written. Never rejects. */
  async take(departure: Departure): Promise<readonly LeavingAgent[] | undefined> {
    const { reporter, serialHex } = departure;
    if (this.#heard.has(serialHex)) return undefined;
    this.#heard.set(serialHex, true);
    try {
      const agents = this.#leaving(departure);
      await Promise.all(agents.map((agent) => this.#dependencies.record(goodbyeEvent(agent))));
      return agents;
    } catch (error) {
      this.#heard.delete(serialHex);
      this.#dependencies.onFailed(reporter, error);
      return undefined;
    }
  }

  /**
   * What it was given until now, and nothing of another life of it: by then it has another certificate, or one is asked for
   * later. And nothing of those for whom it does not speak.
   */
  #leaving({ reporter, serialHex, identities }: Departure): readonly LeavingAgent[] {
    const { indexOf, nextIndex } = this.#dependencies;
    const { spiffeId, agentId } = reporter;
    const ownIndex = indexOf(serialHex, agentId);
    const own = ownIndex === undefined ? [] : [{ spiffeId, agent: agentId, lastIndex: ownIndex }];
    const agent = nodeAgentName(agentId);
    const lastIndex = nextIndex() - 1;
    return [...own, ...identities.map((each) => ({ spiffeId: each, agent, lastIndex }))];
  }
}
