/** What an agent does not lose. A set is written whole or not at all, and a disk may be full. */

import type { ServerAnchor } from "../../src/app/agent/server-trust.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { Leaf } from "./symbols.ts";

export interface HeldSet {
  readonly leaf: Leaf;
  readonly receivedAtMs: number;
  readonly bundle: TrustBundle;
  readonly anchor: ServerAnchor;
}

/** Of a workload that a node agent serves. */
export interface HeldLeaf {
  readonly leaf: Leaf;
  readonly receivedAtMs: number;
}

export class AgentDisk {
  own: HeldSet | undefined;
  readonly workloads: Map<string, HeldLeaf> = new Map();
  /** How many of the next writes fail. */
  failures = 0;

  /** @returns whether it is written: what is not lives on in memory alone */
  writeOwn(set: HeldSet): boolean {
    if (this.#fails()) return false;
    this.own = set;
    return true;
  }

  writeWorkload(identity: string, held: HeldLeaf): boolean {
    if (this.#fails()) return false;
    this.workloads.set(identity, held);
    return true;
  }

  wipe(): void {
    this.own = undefined;
    this.workloads.clear();
    this.failures = 0;
  }

  #fails(): boolean {
    if (this.failures === 0) return false;
    this.failures--;
    return true;
  }
}
