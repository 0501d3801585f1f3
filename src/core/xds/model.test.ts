/**
 * Random schedules against independent models of the two kinds of clients. Once all is quiet, the
 * client must hold the newest acceptable content of every name that it asked for, and at no time
 * may the evidence claim what the client did not accept.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DeltaClient, SotwClient, type ModelClient } from "../../../test/support/xds-client.ts";
import { must, snapshot } from "../../../test/support/xds-stream.ts";
import type { Snapshot } from "./resource.ts";
import { openSubscriber, receiveSnapshot, type Step, type Subscriber } from "./subscriber.ts";
import type { XdsProtocol, XdsResponse } from "./subscription.ts";

const names = ["A", "B", "C"] as const;

type Action =
  | { readonly kind: "content"; readonly name: string; readonly state: ContentState }
  | { readonly kind: "want"; readonly names: readonly string[] }
  | { readonly kind: "reconnect" }
  | { readonly kind: "to-client" | "to-client-quietly" | "to-server" };

type ContentState = "good" | "bad" | "pending" | "unknown";

const name = fc.constantFrom(...names);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("content"), name, state: contentState() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("want"), names: fc.subarray([...names]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom("to-client", "to-client-quietly", "to-server"),
    }),
  },
);

function contentState(): fc.Arbitrary<ContentState> {
  return fc.constantFrom("good", "good", "good", "bad", "pending", "unknown");
}

const variants = [
  ["sotw", false],
  ["sotw", true],
  ["delta", false],
  ["delta", true],
] as const;

for (const [protocol, restores] of variants) {
  const how = restores ? ", restoring what was good" : "";
  test(`leads any ${protocol} client to the newest content and claims nothing else${how}`, () => {
    const schedule = fc.array(action, { maxLength: 60 });
    fc.assert(
      fc.property(schedule, (actions) => {
        const world = new World(protocol, restores);
        for (const next of actions) {
          world.apply(next);
          world.assertSound();
        }
        world.settle();
        world.assertSettled();
      }),
      { numRuns: 5_000 },
    );
  });
}

class World {
  readonly #protocol: XdsProtocol;
  readonly #restores: boolean;
  readonly #client: ModelClient;
  readonly #content = new Map<string, { state: ContentState; version: string }>();
  #subscriber: Subscriber<string>;
  #toClient: XdsResponse<string>[] = [];
  #streams = 0;
  #versions = 0;
  #nowMs = 0;

  constructor(protocol: XdsProtocol, restores: boolean) {
    this.#protocol = protocol;
    this.#restores = restores;
    this.#client = protocol === "sotw" ? new SotwClient() : new DeltaClient();
    for (const each of names) this.#content.set(each, { state: "pending", version: "" });
    this.#subscriber = this.#open();
    this.#client.want(["A"]);
  }

  apply(next: Action): void {
    switch (next.kind) {
      case "content": {
        const version = `${next.state}-${++this.#versions}`;
        this.#content.set(next.name, { state: next.state, version });
        this.#take(receiveSnapshot(this.#subscriber, this.#snapshot()));
        break;
      }
      case "want":
        this.#client.want(next.names);
        break;
      case "reconnect":
        this.#toClient = [];
        this.#subscriber = this.#open();
        this.#client.reconnect();
        break;
      case "to-client":
        this.#deliver();
        this.#client.reply();
        break;
      case "to-client-quietly":
        this.#deliver();
        break;
      case "to-server":
        this.#serve();
        break;
    }
  }

  /** Delivers everything that is under way, in both directions, until silence. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      this.#client.reply();
      const isQuiet = this.#toClient.length === 0 && !this.#client.hasRequests;
      if (isQuiet) return;
      this.apply({ kind: "to-client" });
      this.apply({ kind: "to-server" });
      this.assertSound();
    }
    assert.fail("the server and the client never come to rest");
  }

  assertSound(): void {
    for (const [each, { acked }] of this.#subscriber.subscriptions) {
      if (acked === undefined) continue;
      assert(this.#client.accepted.has(`${each} ${acked.version}`), `${each} ${acked.version}`);
    }
  }

  assertSettled(): void {
    assert.deepEqual(new Set(this.#subscriber.subscriptions.keys()), this.#client.wanted);
    for (const each of this.#client.wanted) {
      const { state, version } = must(this.#content.get(each));
      const held = this.#client.held.get(each);
      const { acked, nack } = must(this.#subscriber.subscriptions.get(each));
      if (state === "good") assert.equal(held, version);
      if (state === "good") assert.equal(acked?.version, version);
      if (state === "good") assert.equal(nack, undefined);
      if (state === "bad") assert.equal(nack?.version, version);
      if (acked !== undefined) assert.equal(acked.version, held);
    }
  }

  #open(): Subscriber<string> {
    const noncePrefix = `${++this.#streams}-`;
    const options = { protocol: this.#protocol, typeUrl: "", noncePrefix };
    return openSubscriber({ ...options, snapshot: this.#snapshot() });
  }

  #snapshot(): Snapshot<string> {
    const content = [...this.#content];
    const existing = content.filter(([, { state }]) => state === "good" || state === "bad");
    const pending = content.filter(([, { state }]) => state === "pending").map(([each]) => each);
    const resources = existing.map(([each, { version }]) => [each, version]);
    const restored = { has: () => this.#restores };
    return { ...snapshot(Object.fromEntries(resources), { pending }), restored };
  }

  #deliver(): void {
    const response = this.#toClient.shift();
    if (response !== undefined) this.#client.receive(response);
  }

  #serve(): void {
    const step = this.#client.takeRequest(this.#subscriber, ++this.#nowMs);
    if (step !== undefined) this.#take(step);
  }

  #take(step: Step<string>): void {
    assert(step.kind === "continue");
    this.#subscriber = step.subscriber;
    if (step.response !== undefined) this.#toClient.push(step.response);
  }
}
