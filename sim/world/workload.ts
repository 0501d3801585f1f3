/** One identity at an agent: its certificate, its CSRs, and the Envoys that are served with it. */

import { decideRenewalMs } from "../../src/core/issuance/renewal.ts";
import { nodeAgentName } from "../../src/core/roll/leaf-owners.ts";
import type { Agent } from "./agent.ts";
import type { HeldLeaf } from "./agent-disk.ts";
import { CsrClient, type CsrReply, type CsrServer } from "./csr-client.ts";
import { Envoy, layouts } from "./envoy.ts";
import { SdsChannel } from "./sds-channel.ts";
import { maskOf } from "./symbols.ts";
import { snapshotOf } from "./secrets.ts";

export class Workload {
  readonly identity: string;
  readonly client: CsrClient;
  readonly channel: SdsChannel;
  readonly envoys: readonly Envoy[];
  held: HeldLeaf | undefined;
  #renewAtMs = 0;
  /** What is published, and has not been withdrawn. */
  #isPublished = false;
  readonly #agent: Agent;

  constructor(agent: Agent, identity: string, layoutsOf: readonly number[], server: CsrServer) {
    this.#agent = agent;
    this.identity = identity;
    this.channel = new SdsChannel(agent);
    this.envoys = layoutsOf.map((layout, index) => {
      return new Envoy(
        `${identity}~${index}`,
        layouts[layout % layouts.length] ?? [],
        this.channel,
      );
    });
    this.client = new CsrClient(server, {
      identity,
      agentId: () => {
        return agent.own === this || !agent.isNode ? agent.id : nodeAgentName(agent.id);
      },
      nowMs: () => agent.nowMs,
      backOffMs: () => agent.backOffMs(),
      isReachable: () => agent.isReachable,
      isDue: () => agent.mayAsk(this) && agent.agentMs >= this.#renewAtMs,
      accepts: () => agent.acceptsServer(),
      onReply: (reply) => this.#replied(reply),
    });
  }

  /** The server asks for it. */
  renewNow(): void {
    this.#renewAtMs = 0;
  }

  /** What has been written, or is found at a start. */
  hold(held: HeldLeaf, random: number): void {
    this.held = held;
    this.#renewAtMs = decideRenewalMs(held.receivedAtMs, held.leaf.notAfterMs, random);
  }

  publish(): void {
    const { bundle, agentMs } = this.#agent;
    if (this.held === undefined || bundle === undefined) return;
    const { leaf } = this.held;
    // One whose root is not in the bundle beside it is withheld, as an expired one.
    this.#isPublished = agentMs < leaf.notAfterMs && (maskOf(bundle.roots) & leaf.rootBit) !== 0;
    this.channel.publish(snapshotOf(this.#isPublished ? leaf : undefined, bundle));
  }

  withdrawExpired(): void {
    if (this.#isPublished && this.#agent.agentMs >= (this.held?.leaf.notAfterMs ?? 0)) {
      this.publish();
    }
  }

  forget(): void {
    this.held = undefined;
    this.#renewAtMs = 0;
    this.#isPublished = false;
    this.channel.reset();
    this.client.drop();
  }

  #replied(reply: CsrReply): void {
    this.#agent.takeReply(this, reply);
  }
}
