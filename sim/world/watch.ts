/**
 * What must hold after every event. Any two live workloads with unexpired certificates accept each other; the bundle has the root of
 * whoever signs; nobody who lives goes back behind what an activation required. Who was waived, or hangs on a leaked key, is excepted.
 */

import { activeAuthority, bundleOf, type TrustState } from "../../src/core/trust/trust-state.ts";
import type { Order } from "../server/rotation.ts";
import { checkDecision } from "./decisions.ts";
import type { Exceptions } from "./exceptions.ts";
import { exceptForgotten } from "./gaps.ts";
import { bitOf, maskOf, rootNames, type Leaf } from "./symbols.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Somebody who shows a certificate and verifies others' by one or more contexts. */
export interface Party {
  readonly name: string;
  /** Undefined unless it is live: it may be frozen, and go on at any time. */
  readonly leaf: Leaf | undefined;
  readonly contexts: Iterable<number>;
  readonly isExcepted: boolean;
}

export class Watch {
  readonly #world: World;
  readonly #exceptions: Exceptions;
  #checked: TrustState | undefined;
  /** Roots of the bundle that the last activation rested on. */
  #required = 0;
  readonly #signers = new Set<string>();

  constructor(world: World, exceptions: Exceptions) {
    this.#world = world;
    this.#exceptions = exceptions;
  }

  /** Whether it has ever been the active one. */
  hasSigned(authorityId: string): boolean {
    return this.#signers.has(authorityId);
  }

  get required(): number {
    return this.#required;
  }

  /** Before it is stored. @throws Violation */
  decided(command: Order, before: TrustState, after: TrustState): void {
    if (command.kind === "activate") {
      this.#required = maskOf(bundleOf(before).roots);
      exceptForgotten(this.#world, this.#required);
    }
    if (command.kind === "compromise") this.#exceptions.compromised(before, after);
    checkDecision(this.#world, command, before, after);
  }

  /** @throws Violation */
  check(): void {
    this.#checkServer();
    this.#checkAgents();
    const parties = this.#world.parties();
    let shown = 0;
    for (const { leaf } of parties) {
      if (leaf !== undefined && !this.#exceptions.isPresenter(leaf)) shown |= leaf.rootBit;
    }
    // What has left the bundle is required no more, also when it comes back.
    this.#required &= this.#world.server.bundleMask & ~this.#exceptions.roots;
    const required = this.#required;
    for (const party of parties) {
      if (party.leaf === undefined || party.isExcepted) continue;
      for (const context of party.contexts) {
        if ((context & shown) !== shown) this.#refuses(party, context, parties);
        if ((context & required) !== required) {
          throw new Violation(`${party.name} is behind what the activation required`);
        }
      }
    }
  }

  #refuses(party: Party, context: number, parties: readonly Party[]): void {
    for (const peer of parties) {
      if (peer === party || peer.leaf === undefined) continue;
      const { leaf } = peer;
      if ((context & leaf.rootBit) !== 0 || this.#exceptions.isPresenter(leaf)) continue;
      throw new Violation(
        `${party.name} refuses ${peer.name}: leaf ${leaf.serial} hangs on root ${rootNames(leaf.rootBit)}, trusted are ${rootNames(context)}`,
      );
    }
  }

  #checkServer(): void {
    const { trust, issuing, bundleMask, durable, isUp } = this.#world.server;
    if (isUp && (bundleMask & bitOf(issuing.authority.root)) === 0) {
      throw new Violation("the bundle in force lacks the root of whoever signs");
    }
    if (trust === this.#checked) return;
    this.#checked = trust;
    for (const { id, state } of trust.authorities) if (state !== "prepared") this.#signers.add(id);
    const { id, root } = activeAuthority(trust);
    if ((maskOf(bundleOf(trust).roots) & bitOf(root)) === 0) {
      throw new Violation("the stored bundle lacks the active root");
    }
    if (!durable.keys.has(id)) throw new Violation("the key of the active authority is destroyed");
  }

  /** Whoever is left behind by the server's own certificate is not heard of again. */
  #checkAgents(): void {
    const { server, agents } = this.#world;
    if (!server.isUp || (this.#exceptions.roots & server.own.rootBit) !== 0) return;
    for (const agent of agents) {
      const leaf = agent.set?.leaf;
      if (!agent.isAlive || agent.isExcepted || leaf === undefined) continue;
      if (!agent.isValid || agent.hasEnded(leaf)) continue;
      // A gap that docs/simulator.md tells of: it was verified by the leaked root, and goes by its file since.
      if (this.#exceptions.roots !== 0 && agent.set?.anchor.isMesh === false) continue;
      if (!agent.acceptsServer()) {
        throw new Violation(`${agent.id} refuses the server's own certificate`);
      }
      if (this.#exceptions.isPresenter(leaf)) continue;
      if ((server.bundleMask & leaf.rootBit) === 0) {
        throw new Violation(`the server refuses the certificate of ${agent.id}`);
      }
    }
  }
}
