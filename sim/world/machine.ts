/** Where an agent runs: its process, its network and its clock. */

import type { Leaf } from "./symbols.ts";
import type { World } from "./world.ts";

export class Machine {
  readonly world: World;
  isAlive = true;
  isFrozen = false;
  /** Its network leads nowhere. */
  isCut = false;
  skewMs = 0;
  /** The server's process has been told what the clock says now. */
  isClockKnown = false;

  constructor(world: World) {
    this.world = world;
  }

  get isServing(): boolean {
    return this.isAlive && !this.isFrozen;
  }

  get isReachable(): boolean {
    return this.isAlive && !this.isFrozen && !this.isCut;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get agentMs(): number {
    return this.world.nowMs + this.skewMs;
  }

  /** By the latest clock that the server must reckon with: of one that it has not been told of it knows nothing. */
  hasEnded(leaf: Leaf): boolean {
    const { agentMs, nowMs, isClockKnown } = this;
    return this.world.exceptions.hasEnded(leaf, isClockKnown ? agentMs : Math.max(agentMs, nowMs));
  }

  /** How long an Envoy waits after its stream was broken; 30 s at the longest. */
  backOffMs(): number {
    const { random } = this.world;
    return random.below(4) === 0 ? random.below(30_000) : 0;
  }
}
