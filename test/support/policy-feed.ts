/** A policy feed that a test fills by hand, and that outlives the agents that read it, as a disk does. */

import { createHash } from "node:crypto";
import type {
  GivenPolicy,
  OpenPolicy,
  PolicyFeed,
  PolicyNack,
  PolicyUser,
} from "../../src/app/agent/policy/policy-feed.ts";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";

export class TestFeed implements PolicyFeed {
  readonly users: Set<PolicyUser> = new Set<PolicyUser>();
  readonly acked: string[] = [];
  readonly nacks: PolicyNack[] = [];
  /** What users are given: the newest, or after a refusal the last good one. */
  given: GivenPolicy | undefined;
  good: GivenPolicy | undefined;

  /** @returns its digest */
  give(policy: ProxyPolicy): string {
    const given = { digest: digestOf(policy), policy };
    this.#give(given);
    return given.digest;
  }

  open(user: PolicyUser): OpenPolicy {
    this.users.add(user);
    return {
      given: this.given,
      acked: (digest) => {
        this.acked.push(digest);
        if (digest === this.given?.digest) this.good = this.given;
      },
      nacked: (nack) => {
        this.nacks.push(nack);
        if (this.good !== undefined) this.#give(this.good);
      },
      draining: () => {},
      close: () => void this.users.delete(user),
    };
  }

  #give(given: GivenPolicy): void {
    this.given = given;
    for (const user of this.users) user.onPolicy(given);
  }
}

function digestOf(policy: ProxyPolicy): string {
  const withMaps = (_: string, value: unknown): unknown =>
    value instanceof Map ? [...value] : value;
  return createHash("sha256").update(JSON.stringify(policy, withMaps)).digest("hex");
}
