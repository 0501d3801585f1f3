/**
 * A workload with a stock Istio agent: it speaks Istio's CA API and nothing else. What it trusts came with its last certificate,
 * and what it holds lives in memory.
 */

import { decideRenewalMs } from "../../src/core/issuance/renewal.ts";
import { CsrClient, type CsrServer } from "./csr-client.ts";
import { maskOf, type Leaf } from "./symbols.ts";
import type { World } from "./world.ts";

export class Stock {
  readonly identity: string;
  readonly client: CsrClient;
  isAlive = true;
  isCut = false;
  /** An operator has waived it. */
  isExcepted = false;
  leaf: Leaf | undefined;
  trusted = 0;
  #renewAtMs = 0;

  constructor(world: World, identity: string, server: CsrServer) {
    this.identity = identity;
    this.client = new CsrClient(server, {
      identity,
      agentId: () => "",
      nowMs: () => world.nowMs,
      backOffMs: () => world.random.below(30_000),
      isReachable: () => this.isAlive && !this.isCut,
      isDue: () => world.nowMs >= this.#renewAtMs,
      // Its operator keeps its file of the server's roots current.
      accepts: () => true,
      onReply: ({ leaf, roots }) => {
        this.leaf = leaf;
        this.trusted = maskOf(roots);
        this.#renewAtMs = decideRenewalMs(world.nowMs, leaf.notAfterMs, world.chance());
      },
    });
  }

  /** The pod ends, and another one takes its place later. */
  kill(): void {
    this.isAlive = false;
    this.leaf = undefined;
    this.trusted = 0;
    this.#renewAtMs = 0;
    this.client.drop();
  }
}
