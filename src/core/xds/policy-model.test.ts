/**
 * Random policies to a model of Envoy, over both variants: whatever is refused on the way, once all is quiet it does the newest policy
 * that it could take, it is known to do it, and no listener ever led to a cluster that was not there.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AdsClient, badVersion } from "../../../test/support/ads-client.ts";
import { setOf } from "../../../test/support/set-stream.ts";
import type { PolicyResources, PolicyResponse, PolicyStream } from "./policy-draft.ts";
import {
  openPolicyStream,
  receivePolicy,
  receivePolicyDelta,
  receivePolicySotw,
  type PolicyStep,
} from "./policy-stream.ts";
import type { ResourceSet } from "./resource-set.ts";
import type { XdsProtocol } from "./subscription.ts";

const names = ["c1", "c2", "c3"] as const;

interface Draw {
  readonly clusters: Readonly<Record<string, Content>>;
  readonly endpoints: Readonly<Record<string, Content>>;
  readonly listener: Content;
}

type Content = "1" | "2" | "bad-1" | "bad-2";
type Action =
  | { readonly kind: "give"; readonly draw: Draw }
  | { readonly kind: "to-client" | "to-server" | "reconnect" };

const content: fc.Arbitrary<Content> = fc.constantFrom(
  "1",
  "2",
  "1",
  "2",
  "1",
  "2",
  "bad-1",
  "bad-2",
);
const some = fc.dictionary(fc.constantFrom(...names), content, { maxKeys: 3 });
const draw: fc.Arbitrary<Draw> = fc.record({
  clusters: some,
  endpoints: fc.record({ c1: content, c2: content, c3: content }),
  listener: content,
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("give"), draw }) },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constantFrom("to-client", "to-server") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect") }) },
);

for (const protocol of ["sotw", "delta"] as const) {
  test(`leads an Envoy on ${protocol} to the newest policy that it takes, and breaks nothing on the way`, () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
        const world = new World(protocol);
        for (const next of actions) world.apply(next);
        world.settle();
        world.assertSettled();
      }),
      { numRuns: 3_000 },
    );
  });
}

/** A listener leads to all clusters of its policy, and its version says which those are. */
function resourcesOf({ clusters, endpoints, listener }: Draw): PolicyResources {
  const leadsTo = Object.keys(clusters).toSorted();
  const digest = JSON.stringify([clusters, leadsTo.map((name) => endpoints[name]), listener]);
  return {
    digest,
    clusters: setOf(clusters),
    endpoints: setOf(Object.fromEntries(leadsTo.map((name) => [name, endpoints[name] ?? ""]))),
    listeners: setOf({ l: `${listener} ${leadsTo.join(" ")}` }),
  };
}

function isBad({ clusters, endpoints, listeners }: PolicyResources): boolean {
  const all = [clusters, endpoints, listeners].flatMap((set) => [...set.resources.values()]);
  return all.some(({ version }) => version.startsWith(badVersion));
}

function versionsOf({ resources }: ResourceSet<undefined>): Map<string, string> {
  return new Map(Array.from(resources, ([name, { version }]) => [name, version]));
}

class World {
  readonly #protocol: XdsProtocol;
  readonly #client: AdsClient;
  #stream: PolicyStream;
  #toClient: PolicyResponse[] = [];
  #streams = 0;
  #given: PolicyResources | undefined;
  #good: PolicyResources | undefined;
  readonly #refused = new Set<string>();
  readonly #known = new Map<string, PolicyResources>();

  constructor(protocol: XdsProtocol) {
    this.#protocol = protocol;
    this.#client = new AdsClient(protocol);
    this.#stream = this.#open();
  }

  apply(action: Action): void {
    if (action.kind === "give") this.#giveNew(resourcesOf(action.draw));
    else if (action.kind === "to-client") this.#deliver();
    else if (action.kind === "to-server") this.#serve();
    else this.#reconnect();
  }

  settle(): void {
    for (let round = 0; round < 300; round++) {
      if (this.#toClient.length === 0 && this.#client.requests.length === 0) return;
      this.#deliver();
      this.#serve();
    }
    assert.fail("the server and the client never come to rest");
  }

  assertSettled(): void {
    const { target, ackedDigest, refusedDigest } = this.#stream;
    if (target === undefined || target.digest === refusedDigest) return;
    assert.equal(ackedDigest, target.digest, "the newest one is taken");
    for (const kind of ["clusters", "endpoints", "listeners"] as const) {
      const wanted = versionsOf(target[kind]);
      assert.deepEqual(new Map(this.#client.held(kind)), wanted, kind);
    }
  }

  /** As the feed does: what was refused is never given again. */
  #giveNew(policy: PolicyResources): void {
    if (this.#refused.has(policy.digest)) return;
    this.#known.set(policy.digest, policy);
    this.#give(policy);
  }

  #give(policy: PolicyResources): void {
    this.#given = policy;
    this.#take(receivePolicy(this.#stream, policy));
  }

  #open(): PolicyStream {
    const typeUrls = { clusters: "c", endpoints: "e", listeners: "l" };
    const noncePrefix = `${++this.#streams}-`;
    return openPolicyStream({ protocol: this.#protocol, typeUrls, noncePrefix });
  }

  #reconnect(): void {
    this.#toClient = [];
    this.#client.reconnect();
    this.#stream = this.#open();
    if (this.#given !== undefined) this.#give(this.#given);
  }

  #deliver(): void {
    const response = this.#toClient.shift();
    if (response === undefined) return;
    this.#client.receive(response);
    if (this.#streams === 1) this.#assertUnbroken();
  }

  #assertUnbroken(): void {
    for (const version of this.#client.held("listeners").values()) {
      for (const cluster of version.split(" ").slice(1)) {
        if (cluster !== "") assert(this.#client.isUsable(cluster), `${version} has ${cluster}`);
      }
    }
  }

  #serve(): void {
    const request = this.#client.requests.shift();
    if (request === undefined) return;
    const { kind, sotw, delta } = request;
    this.#take(
      this.#protocol === "sotw"
        ? receivePolicySotw(this.#stream, kind, sotw, 0)
        : receivePolicyDelta(this.#stream, kind, delta, 0),
    );
  }

  #take(step: PolicyStep): void {
    assert(step.kind === "continue");
    this.#stream = step.stream;
    this.#toClient.push(...step.responses);
    const { outcome } = step;
    if (outcome === undefined) return;
    const policy = this.#known.get(outcome.digest);
    assert(policy !== undefined);
    if (outcome.kind === "acked") {
      assert(!isBad(policy), "nothing bad is taken");
      for (const kind of ["clusters", "endpoints", "listeners"] as const)
        for (const [n, v] of versionsOf(policy[kind]))
          assert.equal(
            new Map(this.#client.held(kind)).get(n),
            v,
            `acked, and has another of ${kind}`,
          );
      this.#good = policy;
      return;
    }
    assert(isBad(policy), "nothing good is refused");
    this.#refused.add(outcome.digest);
    if (this.#good !== undefined) this.#give(this.#good);
  }
}
