/** Between the ADS streams and the feed of policies: which ports each Envoy listens on is what it has acknowledged. */

import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { GivenPolicy, OpenPolicy, PolicyFeed, PolicyUser } from "../policy/policy-feed.ts";
import type { ConnectionFeed } from "./connection-feed.ts";

/** Given, and not acknowledged yet. */
const givenMax = 8;

export class ListeningFeed implements PolicyFeed {
  readonly #feed: PolicyFeed;
  readonly #connections: ConnectionFeed;

  constructor(feed: PolicyFeed, connections: ConnectionFeed) {
    this.#feed = feed;
    this.#connections = connections;
  }

  open(user: PolicyUser): OpenPolicy {
    if (!user.hasListeners) return this.#feed.open(user);
    const listening = this.#connections.listening(user.proxy);
    const all = new Map<string, ProxyPolicy>();
    const remember = ({ digest, policy }: GivenPolicy): void => {
      all.delete(digest);
      all.set(digest, policy);
      const [oldest = digest] = all.keys();
      if (all.size > givenMax) all.delete(oldest);
    };
    const onPolicy = (given: GivenPolicy): void => {
      remember(given);
      user.onPolicy(given);
    };
    const opened = this.#feed.open({ ...user, onPolicy });
    if (opened.given !== undefined) remember(opened.given);
    return {
      ...opened,
      acked: (digest) => {
        const policy = all.get(digest);
        if (policy !== undefined) listening.listens(portsOf(policy));
        opened.acked(digest);
      },
      close: () => {
        listening.close();
        opened.close();
      },
    };
  }
}

function portsOf({ inbound }: ProxyPolicy): ReadonlySet<number> {
  return new Set(inbound.map(({ port }) => port));
}
