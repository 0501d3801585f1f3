/** Who has a mesh stream in a simulated mesh: a pod dials until it has one, and each side of one that is cut notices by and by. */

import { Link } from "./link.ts";
import type { Pod } from "./pod.ts";
import type { FlipWorld } from "./world.ts";

export const noticeMsMax = 2_000;

export class Links {
  readonly #world: FlipWorld;

  constructor(world: FlipWorld) {
    this.#world = world;
  }

  dial(pod: Pod): void {
    const { timeline, random } = this.#world;
    if (!isIdle(pod)) return;
    timeline.after(20 + random.below(1_500), () => {
      const { server } = this.#world;
      if (!isIdle(pod) || server === undefined) return;
      const link = new Link(timeline, random);
      server.accept(pod.name, link);
      pod.awaySinceMs = undefined;
      pod.talk.begin(link);
      pod.poke();
    });
  }

  cut(pod: Pod): void {
    const { link } = pod.talk;
    const { timeline, random, server } = this.#world;
    if (link === undefined) return;
    link.isCut = true;
    pod.awaySinceMs = timeline.nowMs;
    timeline.after(random.below(noticeMsMax), () => {
      if (this.#world.server === server) this.#world.inServer((it) => it.closed(pod.name, link));
    });
    timeline.after(random.below(noticeMsMax), () => {
      pod.talk.end(link);
      this.dial(pod);
    });
  }
}

function isIdle({ talk, agent, isGone }: Pod): boolean {
  return talk.link === undefined && !isGone && agent.isAlive;
}
