import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import { encodePolicy } from "../../../edge/rpc/policy-messages.ts";
import { FedProxy } from "./fed-proxy.ts";
import { receivePolicy, type ReceivedPolicy } from "./kept-policy.ts";
import type { OpenPolicy } from "./policy-feed.ts";

const all = [1, 2, 3, 4].map((port) => receivePolicy(encodePolicy(policyOf("strict", port))));
const [p1, p2, p3] = all as [ReceivedPolicy, ReceivedPolicy, ReceivedPolicy, ReceivedPolicy];
const nackOf = ({ digest }: ReceivedPolicy) => ({ digest, detail: "no", resources: ["inbound_1"] });

class Scene {
  readonly goods: ReceivedPolicy[] = [];
  /** What the disk is asked to have. */
  disk: ReceivedPolicy | undefined;
  changes = 0;
  /** Ends the waiting for the server's word. */
  silence: (() => void) | undefined;
  readonly proxy: FedProxy;

  /** @param isDurable a good one is on the disk at once */
  constructor(good?: ReceivedPolicy, isDurable = true, isServed = false) {
    this.disk = good;
    this.proxy = new FedProxy({
      name: { proxyId: "proxy-1", spiffeId: undefined },
      good,
      onGood: (policy) => void this.goods.push(policy),
      keep: (policy) => {
        this.disk = policy;
        if (isDurable) this.proxy.kept(policy);
      },
      drop: () => (this.disk = undefined),
      onRefused: () => {},
      awaitServer: (onSilence) => {
        if (!isServed) return undefined;
        this.silence = onSilence;
        return () => (this.silence = undefined);
      },
      onChange: () => (this.changes += 1),
    });
  }

  open(hasListeners = true): Envoy {
    return new Envoy(this.proxy, hasListeners, false);
  }

  /** One that has nothing. */
  openFresh(): Envoy {
    return new Envoy(this.proxy, true, true);
  }

  get applied(): string | undefined {
    return this.proxy.state?.proxy.applied?.digest;
  }

  get isUnsure(): boolean | undefined {
    return this.proxy.state?.proxy.isUnsure;
  }

  /** Of what it has refused last, whether parts may be in force. */
  get isPartial(): boolean | undefined {
    return this.proxy.state?.proxy.nack?.isPartial;
  }

  get life(): symbol | undefined {
    return this.proxy.state?.life;
  }

  get nacked(): string | undefined {
    return this.proxy.state?.proxy.nack?.digest;
  }
}

class Envoy {
  readonly given: ReceivedPolicy[] = [];
  readonly stream: OpenPolicy;

  constructor(proxy: FedProxy, hasListeners: boolean, isFresh: boolean) {
    this.stream = proxy.open({
      proxy: { proxyId: "proxy-1", spiffeId: undefined },
      labels: new Map([["app", "web"]]),
      hasListeners,
      isFresh,
      onPolicy: (given) => void this.given.push(given as ReceivedPolicy),
    });
    if (this.stream.given !== undefined) this.given.push(this.stream.given as ReceivedPolicy);
  }

  get last(): ReceivedPolicy | undefined {
    return this.given.at(-1);
  }
}

describe("a proxy", () => {
  it("has applied what it has acknowledged, once that is on the disk", () => {
    const scene = new Scene(undefined, false);
    const envoy = scene.open();
    scene.proxy.take(p1);
    assert.deepEqual([envoy.given, scene.applied], [[p1], undefined]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.goods, scene.applied], [[p1], undefined]);
    scene.proxy.kept(p1);
    assert.equal(scene.applied, p1.digest);
  });

  it("begins with its last good policy, and is given nothing twice", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    scene.proxy.take(p1);
    assert.deepEqual([envoy.given, scene.applied], [[p1], p1.digest]);
    assert.deepEqual(scene.goods, []);
  });

  it("that refuses a policy gets its last good one again, and the refused one never", () => {
    const scene = new Scene();
    const envoy = scene.open();
    scene.proxy.take(p1);
    envoy.stream.acked(p1.digest);
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    assert.deepEqual(envoy.given, [p1, p2, p1]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.nacked], [p1.digest, p2.digest]);
    const before = scene.proxy.state;
    scene.proxy.take(p2);
    assert.equal(envoy.given.length, 3);
    // It is said again, to whoever has sent it again.
    assert.notEqual(scene.proxy.state, before);
    assert.deepEqual(scene.proxy.state, before);
  });

  it("has refused nothing any more once it has taken a later policy", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    scene.proxy.take(p3);
    assert.equal(scene.nacked, p2.digest);
    envoy.stream.acked(p3.digest);
    assert.deepEqual([scene.applied, scene.nacked], [p3.digest, undefined]);
  });

  it("has refused nothing any more when the server goes back to what it has", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    envoy.stream.acked(p1.digest);
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    scene.proxy.take(p1);
    // It may do parts of both until it says again that it does the last good one.
    assert.deepEqual([scene.applied, scene.nacked], [p1.digest, p2.digest]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.nacked], [p1.digest, undefined]);
    assert.deepEqual(envoy.given, [p1, p2, p1]);
  });

  it("may do parts of what it has refused until it has taken the last good one again", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    envoy.stream.acked(p1.digest);
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    assert.deepEqual(scene.proxy.state?.proxy.nack?.octets, p2.octets);
    assert.equal(scene.isPartial, true);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.nacked, scene.isPartial], [p2.digest, false]);
    assert.equal(scene.proxy.state?.proxy.nack?.octets, undefined);
  });

  it("that has refused a policy, and taken another since, says so again when it is sent again", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    scene.proxy.take(p3);
    envoy.stream.acked(p3.digest);
    scene.proxy.take(p2);
    assert.deepEqual([scene.nacked, scene.isPartial], [p2.digest, false]);
    assert.deepEqual(envoy.given, [p1, p2, p1, p3]);
  });

  it("answers what was sent to it, though it refuses its last good one, too", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    envoy.stream.nacked(nackOf(p1));
    assert.deepEqual(
      [scene.applied, scene.nacked, envoy.given],
      [p1.digest, p2.digest, [p1, p2, p1]],
    );
  });

  it("may do more than a report has place for after several refusals, until it has taken something", () => {
    const scene = new Scene();
    const envoy = scene.open();
    const refuse = (policy: ReceivedPolicy): void => {
      scene.proxy.take(policy);
      envoy.stream.nacked(nackOf(policy));
    };
    refuse(p1);
    assert.equal(scene.proxy.isAnswering, false);
    for (let port = 10; port < 20; port++)
      refuse(receivePolicy(encodePolicy(policyOf("strict", port))));
    assert.equal(scene.proxy.isAnswering, true);
    scene.proxy.take(p2);
    envoy.stream.acked(p2.digest);
    assert.equal(scene.proxy.isAnswering, false);
  });

  it("owes the server an answer until all that came of what it was told is in its state", () => {
    const scene = new Scene(p1, false);
    const envoy = scene.open();
    const owes = () => scene.proxy.isUnanswered;
    assert.equal(owes(), false, "it was told nothing");
    scene.proxy.take(p2);
    assert.equal(owes(), true);
    envoy.stream.acked(p2.digest);
    assert.equal(owes(), true, "it is not on the disk yet");
    scene.proxy.kept(p2);
    assert.equal(owes(), false);
    scene.proxy.take(p3);
    envoy.stream.nacked(nackOf(p3));
    assert.equal(owes(), false, "it has refused it, and what is given again is what it had");
    scene.proxy.take(p2);
    assert.equal(owes(), true, "the server wants it now");
    const before = scene.proxy.state;
    envoy.stream.acked(p2.digest);
    assert.deepEqual([owes(), scene.proxy.state === before], [false, false]);
  });

  it("has something to tell when it is sent what it does already: that it has read it", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    envoy.stream.acked(p1.digest);
    const before = scene.proxy.state;
    scene.proxy.take(p1);
    assert.deepEqual([scene.proxy.isUnanswered, scene.proxy.state === before], [false, false]);
    assert.deepEqual(scene.proxy.state, before);
  });

  it("owes an answer to what came before what it does already", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    envoy.stream.acked(p1.digest);
    for (const policy of [p2, p1]) scene.proxy.take(policy);
    assert.deepEqual([scene.applied, scene.proxy.isUnanswered], [p1.digest, true]);
    const before = scene.proxy.state;
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.proxy.isUnanswered], [p1.digest, false]);
    assert.notEqual(scene.proxy.state, before);
  });

  it("that begins with a policy is unsure until each of its streams has answered", () => {
    const scene = new Scene(p1);
    const [one, other] = [scene.open(), scene.open()];
    one.stream.acked(p1.digest);
    assert.equal(scene.isUnsure, true);
    other.stream.acked(p1.digest);
    assert.equal(scene.isUnsure, false);
    scene.proxy.take(p2);
    assert.equal(scene.isUnsure, false);
    scene.open();
    assert.equal(scene.isUnsure, true);
  });

  it("that refuses what it begins with stays unsure until it has taken something", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    envoy.stream.nacked(nackOf(p1));
    assert.equal(scene.isUnsure, true);
    scene.proxy.take(p2);
    envoy.stream.acked(p2.digest);
    assert.deepEqual([scene.isUnsure, scene.applied], [false, p2.digest]);
  });

  it("keeps its first policy at once, and not after it has refused it", () => {
    const scene = new Scene();
    const envoy = scene.open();
    scene.proxy.take(p1);
    assert.deepEqual([scene.disk, scene.applied, scene.isUnsure], [p1, undefined, false]);
    envoy.stream.nacked(nackOf(p1));
    assert.deepEqual([scene.disk, scene.isPartial], [undefined, true]);
    scene.proxy.take(p2);
    assert.equal(scene.disk, p2);
    envoy.stream.acked(p2.digest);
    scene.proxy.take(p3);
    envoy.stream.nacked(nackOf(p3));
    assert.deepEqual([scene.disk, scene.applied], [p2, p2.digest]);
  });

  it("that goes before it has answered its first policy comes back with it, unsure", () => {
    const scene = new Scene();
    const first = scene.open();
    scene.proxy.take(p1);
    first.stream.close();
    const envoy = scene.open();
    assert.deepEqual([envoy.given, scene.applied, scene.isUnsure], [[p1], p1.digest, true]);
  });

  it("that refuses its first policy has none", () => {
    const scene = new Scene();
    const envoy = scene.open();
    scene.proxy.take(p1);
    envoy.stream.nacked(nackOf(p1));
    assert.deepEqual([envoy.given, scene.applied, scene.nacked], [[p1], undefined, p1.digest]);
    assert.equal(scene.open().stream.given, undefined);
  });

  it("that refuses the last good policy itself is not given it any more", () => {
    const scene = new Scene(p1);
    scene.open().stream.nacked(nackOf(p1));
    assert.equal(scene.open().stream.given, undefined);
    assert.deepEqual([scene.applied, scene.nacked], [p1.digest, p1.digest]);
  });

  it("has taken the older of two that are on their way when it refuses the newer one", () => {
    const scene = new Scene();
    const envoy = scene.open();
    for (const policy of [p1, p2]) scene.proxy.take(policy);
    envoy.stream.acked(p1.digest);
    assert.equal(scene.applied, p1.digest);
    envoy.stream.nacked(nackOf(p2));
    assert.deepEqual([scene.applied, envoy.last], [p1.digest, p1]);
  });

  it("of two streams has applied what both have", () => {
    const scene = new Scene(p1);
    const [one, other] = [scene.open(), scene.open()];
    for (const policy of [p2, p3]) scene.proxy.take(policy);
    one.stream.acked(p3.digest);
    assert.equal(scene.applied, p1.digest);
    other.stream.acked(p2.digest);
    assert.equal(scene.applied, p2.digest);
    other.stream.close();
    assert.equal(scene.applied, p3.digest);
  });

  it("of two streams goes back on both when one refuses", () => {
    const scene = new Scene(p1);
    const [one, other] = [scene.open(), scene.open()];
    scene.proxy.take(p2);
    one.stream.acked(p2.digest);
    other.stream.nacked(nackOf(p2));
    assert.deepEqual([one.last, other.last, scene.applied], [p1, p1, p1.digest]);
  });

  it("does not wait for whoever only asks, unless nobody else is there", () => {
    const scene = new Scene();
    const [asking, envoy] = [scene.open(false), scene.open()];
    scene.proxy.take(p1);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.proxy.state?.proxy.hasListeners], [p1.digest, true]);
    envoy.stream.close();
    scene.proxy.take(p2);
    assert.deepEqual([scene.applied, scene.proxy.state?.proxy.hasListeners], [p1.digest, false]);
    asking.stream.acked(p2.digest);
    assert.equal(scene.applied, p2.digest);
  });

  it("that has gone is nobody, and comes back as another with what was good", () => {
    const scene = new Scene(p1);
    const first = scene.open();
    const { life } = scene;
    scene.proxy.take(p2);
    first.stream.close();
    assert.equal(scene.life, undefined);
    scene.proxy.take(p3);
    const second = scene.open();
    assert.equal(second.stream.given, p1);
    assert.notEqual(scene.life, life);
    for (const answer of [first.stream.acked, second.stream.acked]) answer(p2.digest);
    assert.equal(scene.applied, p1.digest);
  });

  it("says how many connections its streams still drain, and says it once", () => {
    const scene = new Scene();
    const [one, other] = [scene.open(), scene.open()];
    one.stream.draining(new Map([[80, 2]]), "unproven");
    other.stream.draining(
      new Map([
        [80, 1],
        [81, 0],
      ]),
      "gone",
    );
    assert.deepEqual(scene.proxy.state?.proxy.draining, new Map([[80, 3]]));
    assert.equal(scene.proxy.state?.proxy.oldConnections, "unproven");
    const { changes } = scene;
    one.stream.draining(new Map([[80, 2]]), "unproven");
    assert.equal(scene.changes, changes);
    other.stream.close();
    assert.deepEqual(scene.proxy.state?.proxy.draining, new Map([[80, 2]]));
  });

  it("whose stream can make nothing of a policy has refused it", () => {
    const scene = new Scene(p1);
    const given: string[] = [];
    scene.proxy.open({
      proxy: { proxyId: "proxy-1", spiffeId: undefined },
      labels: new Map(),
      hasListeners: true,
      onPolicy: ({ digest }) => {
        given.push(digest);
        if (digest === p2.digest) throw new TypeError("no such thing");
      },
    });
    scene.proxy.take(p2);
    assert.deepEqual(given, [p2.digest, p1.digest]);
    assert.match(scene.proxy.state?.proxy.nack?.detail ?? "", /no such thing/);
  });

  it("has refused what nobody could read, and goes on with what it has", () => {
    const scene = new Scene(p1);
    const envoy = scene.open();
    scene.proxy.takeUnreadable(p2.digest, new TypeError("of a newer server"));
    assert.deepEqual([scene.nacked, envoy.given], [p2.digest, [p1]]);
    scene.proxy.take(p3);
    envoy.stream.acked(p3.digest);
    assert.equal(scene.nacked, undefined);
  });
});

describe("a proxy that has just started, with a server there", () => {
  const start = (): { readonly scene: Scene; readonly envoy: Envoy } => {
    const scene = new Scene(p1, true, true);
    return { scene, envoy: scene.openFresh() };
  };

  it("is given nothing before the server's word, and has nothing, for sure", () => {
    const { scene, envoy } = start();
    assert.deepEqual([envoy.given, scene.applied, scene.isUnsure], [[], undefined, false]);
    assert.equal(scene.proxy.isAnswering, false);
    scene.proxy.take(p2);
    assert.deepEqual([envoy.given, scene.applied, scene.silence], [[p2], undefined, undefined]);
    envoy.stream.acked(p2.digest);
    assert.deepEqual([scene.applied, scene.isUnsure, scene.disk], [p2.digest, false, p2]);
  });

  it("has applied what it had before once it is told that again, and has taken it", () => {
    const { scene, envoy } = start();
    scene.proxy.take(p1);
    assert.deepEqual([envoy.given, scene.applied], [[p1], undefined]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.isUnsure], [p1.digest, false]);
  });

  it("is given the last good one when the server says nothing, and is unsure until it has answered", () => {
    const { scene, envoy } = start();
    scene.silence?.();
    assert.deepEqual([envoy.given, scene.applied, scene.isUnsure], [[p1], p1.digest, true]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.isUnsure, scene.silence], [false, undefined]);
    scene.proxy.take(p2);
    assert.deepEqual(envoy.given, [p1, p2]);
  });

  it("is given the last good one when it refuses the server's word, and that is on the disk again", () => {
    const { scene, envoy } = start();
    scene.proxy.take(p2);
    envoy.stream.nacked(nackOf(p2));
    assert.deepEqual([envoy.given, scene.disk], [[p2, p1], p1]);
    assert.deepEqual([scene.applied, scene.nacked, scene.isUnsure], [p1.digest, p2.digest, true]);
    envoy.stream.acked(p1.digest);
    assert.deepEqual([scene.applied, scene.isUnsure, scene.isPartial], [p1.digest, false, false]);
  });

  it("is given the last good one when nobody can read the server's word", () => {
    const { scene, envoy } = start();
    scene.proxy.takeUnreadable(p2.digest, new TypeError("of a newer server"));
    assert.deepEqual([envoy.given, scene.nacked, scene.isUnsure], [[p1], p2.digest, true]);
  });

  it("comes back with what it was given, and not with the last good one", () => {
    const { scene, envoy } = start();
    scene.proxy.take(p2);
    envoy.stream.close();
    const again = scene.open();
    assert.deepEqual([again.given, scene.isUnsure, scene.disk], [[p2], true, p2]);
  });

  it("waits anew when it starts anew, and does not once it has gone", () => {
    const { scene, envoy } = start();
    envoy.stream.close();
    assert.equal(scene.silence, undefined);
    assert.deepEqual([scene.openFresh().given, scene.disk], [[], p1]);
    assert.notEqual(scene.silence, undefined);
  });

  it("waits with another that has nothing either, and no more once one has something", () => {
    const { scene, envoy } = start();
    const other = scene.openFresh();
    assert.deepEqual([other.given, scene.isUnsure], [[], false]);
    const old = scene.open();
    for (const each of [envoy, other, old]) assert.deepEqual(each.given, [p1]);
    assert.deepEqual([scene.isUnsure, scene.silence], [true, undefined]);
  });

  it("is unsure once another comes that has something, though it has its own from the server", () => {
    const { scene } = start();
    scene.proxy.take(p2);
    const old = scene.open();
    assert.deepEqual([old.given, scene.isUnsure], [[p2], true]);
  });
});

it("a proxy that has just started is given the last good one at once where no server is there, and nothing that is not there", () => {
  assert.deepEqual(new Scene(p1).openFresh().given, [p1]);
  const scene = new Scene(undefined, true, true);
  assert.deepEqual([scene.openFresh().given, scene.silence], [[], undefined]);
});

interface Step {
  readonly kind: "take" | "ack" | "ack-old" | "nack" | "open" | "fresh" | "silence" | "close";
  readonly at: number;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<Step["kind"]>(
      "take",
      "take",
      "ack",
      "ack",
      "ack-old",
      "nack",
      "open",
      "fresh",
      "silence",
      "close",
    ),
    at: fc.nat({ max: 3 }),
  }),
  { maxLength: 40 },
);

it("whatever comes in whatever order, nobody is given what was refused while he is here, and what counts was taken", () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const scene = new Scene(undefined, true, true);
      const refused = new Set<string>();
      const taken = new Map<string, Set<Envoy>>();
      const envoys: Envoy[] = [];
      const ack = (envoy: Envoy, policy: ReceivedPolicy | undefined): void => {
        if (policy === undefined) return;
        taken.set(policy.digest, (taken.get(policy.digest) ?? new Set()).add(envoy));
        envoy.stream.acked(policy.digest);
      };
      for (const { kind, at } of steps) {
        const envoy = envoys[at % Math.max(1, envoys.length)];
        const lengths = envoys.map(({ given }) => given.length);
        const before = new Set(refused);
        if (kind === "open" && envoys.length < 3) envoys.push(scene.open());
        if (kind === "fresh" && envoys.length < 3) envoys.push(scene.openFresh());
        if (kind === "silence") scene.silence?.();
        if (kind === "take" && all[at] !== undefined) scene.proxy.take(all[at]);
        if (envoy === undefined) continue;
        if (kind === "ack") ack(envoy, envoy.last);
        if (kind === "ack-old") ack(envoy, envoy.given[at]);
        if (kind === "nack" && envoy.last !== undefined) {
          refused.add(envoy.last.digest);
          envoy.stream.nacked(nackOf(envoy.last));
        }
        if (kind === "close") envoys.splice(envoys.indexOf(envoy), 1)[0]?.stream.close();
        // Whoever comes back tries once more.
        if (envoys.length === 0) refused.clear();
        for (const [index, { given }] of envoys.entries()) {
          const news = given.slice(lengths[index] ?? 0);
          assert(news.every(({ digest }) => !before.has(digest)));
        }
        const good = scene.goods.at(-1);
        assert(good === undefined || taken.has(good.digest));
        assert(good === undefined || scene.applied === undefined || scene.applied === good.digest);
      }
      for (const envoy of envoys) ack(envoy, envoy.last);
      if (envoys.length === 0) return;
      const last = envoys.map((envoy) => envoy.last?.digest);
      const isGood = last.every((digest) => digest === scene.applied);
      assert(isGood || last.some((digest) => digest === undefined || refused.has(digest)));
    }),
    { numRuns: 2_000 },
  );
});
