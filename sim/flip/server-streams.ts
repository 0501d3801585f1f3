/** Mesh streams of a simulated process of the server, and what is sent on them. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { HurriedStreams } from "../../src/app/server/flips/hurried-streams.ts";
import type { Link } from "./link.ts";
import { namespace } from "./mesh-objects.ts";
import type { ServerPolicy } from "./server-policy.ts";

export interface StreamsOf {
  readonly policy: ServerPolicy;
  /** What all are to do may be another. */
  readonly onDecided: () => void;
  readonly onPush: (name: string, policy: ProxyPolicy) => void;
  readonly sendPolicy: (name: string, link: Link, policy: ProxyPolicy) => void;
  /** Connections are to be told so often. */
  readonly collect: (name: string, link: Link, everyMs: number) => void;
}

const intervalMs = 10_000;

export class ServerStreams {
  readonly #of: StreamsOf;
  readonly #links = new Map<string, Link>();
  readonly #hurried: HurriedStreams<Link>;

  constructor(of: StreamsOf) {
    this.#of = of;
    this.#hurried = new HurriedStreams((link, everyMs = intervalMs) => {
      for (const [name, its] of this.#links) if (its === link) of.collect(name, link, everyMs);
    });
  }

  /** It is the newest of its pod. */
  isOpen(name: string, link: Link): boolean {
    return this.#links.get(name) === link;
  }

  accept(name: string, link: Link): void {
    if (this.#links.has(name)) this.#of.policy.disconnected(name);
    this.#links.set(name, link);
    this.#of.collect(name, link, intervalMs);
  }

  /** On whose streams a flip waits for evidence. */
  hurry(flip: number, workloads: readonly string[]): void {
    const names = workloads.map((each) => each.slice(namespace.length + 1));
    const links = names.flatMap((name) => this.#links.get(name) ?? []);
    this.#hurried.waitsFor(flip, new Set(links));
  }

  close(name: string): void {
    this.#links.delete(name);
    this.#of.policy.disconnected(name);
  }

  publish(): void {
    const { policy, onDecided, onPush, sendPolicy } = this.#of;
    onDecided();
    for (const { key, policy: pushed } of policy.takePushes()) {
      const name = key.slice(key.lastIndexOf(" ") + 1);
      const link = this.#links.get(name);
      onPush(name, pushed);
      if (link === undefined) continue;
      link.policies += 1;
      sendPolicy(name, link, pushed);
    }
  }
}
