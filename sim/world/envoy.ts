/**
 * An Envoy: it opens streams of SDS for its secrets, applies what it accepts, and lives on with that whatever becomes of its agent.
 */

import type { XdsResponse } from "../../src/core/xds/subscription.ts";
import { rootNames, type Leaf } from "./symbols.ts";
import { SdsStream, type SdsServer, type SimEvidence } from "./sds-stream.ts";

/** By which streams an Envoy asks for what: one for all, one for each, and two of its listeners with contexts of their own. */
export const layouts: readonly (readonly (readonly string[])[])[] = [
  [["default"], ["ROOTCA"]],
  [["default", "ROOTCA"]],
  [["default"], ["ROOTCA"], ["ALL"]],
  [["spiffe://mesh"], ["default"], ["ROOTCA"]],
];

export class Envoy {
  say: ((text: string) => void) | undefined;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly streams: readonly SdsStream[];
  isAlive = false;
  isFrozen = false;
  /** An operator has waived it. */
  isExcepted = false;
  /** An activation did not know of it, and it has not caught up since. */
  isForgotten = false;
  /** After its next response it stands still. */
  isAboutToStall = false;
  /** How many of the next responses it refuses. */
  refusals = 0;
  leaf: Leaf | undefined;
  /** Roots by name of a validation context; every one of them verifies somebody. */
  readonly trusted: Map<string, number> = new Map();

  constructor(id: string, layout: readonly (readonly string[])[], server: SdsServer) {
    this.node = { id, cluster: "" };
    this.streams = layout.map((names) => new SdsStream(this, names, server));
    for (const name of layout.flat()) if (name !== "default") this.trusted.set(name, 0);
  }

  /** Its listeners are warm: they have all that they asked for. */
  get isReady(): boolean {
    for (const mask of this.trusted.values()) if (mask === 0) return false;
    return true;
  }

  /** By each of its contexts. */
  trusts(roots: number): boolean {
    for (const mask of this.trusted.values()) if ((mask & roots) !== roots) return false;
    return true;
  }

  start(): void {
    this.isAlive = true;
  }

  /** With it goes all that it holds. */
  kill(): void {
    this.isAlive = false;
    this.isFrozen = false;
    this.isForgotten = false;
    this.leaf = undefined;
    for (const name of this.trusted.keys()) this.trusted.set(name, 0);
    for (const stream of this.streams) {
      stream.version = "";
      stream.end();
    }
  }

  receive(stream: SdsStream, response: XdsResponse<SimEvidence>): void {
    this.#take(stream, response);
    this.isFrozen = this.isAboutToStall;
    this.isAboutToStall = false;
  }

  #take(stream: SdsStream, { nonce, versionInfo, resources }: XdsResponse<SimEvidence>): void {
    if (this.refusals > 0) {
      this.refusals--;
      return stream.ask(nonce, "refused");
    }
    for (const { name, evidence } of resources) {
      if (evidence.leaf === undefined) this.trusted.set(name, evidence.mask);
      else this.leaf = evidence.leaf;
      this.say?.(
        `${this.node.id} has ${name}: ${evidence.leaf === undefined ? rootNames(evidence.mask) : `leaf ${evidence.leaf.serial}`}`,
      );
    }
    stream.version = versionInfo;
    stream.ask(nonce, undefined);
  }
}
