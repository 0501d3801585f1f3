import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import {
  policyKey,
  type LocalPolicy,
  type ReportedPolicy,
} from "../../../core/policy/policy-report.ts";
import { encodePolicy, policyDigest } from "../../../edge/rpc/policy-messages.ts";
import { parsePolicyReport } from "../../../edge/rpc/policy-report-messages.ts";
import type { ConnectRequest } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { PolicyKnown } from "./agent-policies.ts";
import { PolicyReporter } from "./policy-reporter.ts";

const names = ["a", "b", "c"];
const idOf = (name: string): string => `spiffe://td/${name}`;
const keyOf = (name: string): string => `${idOf(name)} p`;
const policies = [1, 2, 3].map((port) => {
  const octets = encodePolicy(policyOf("strict", port));
  return { octets, digest: policyDigest(octets) };
});
type Applied = NonNullable<ReportedPolicy["applied"]>;

function proxyOf(name: string, applied: Applied | undefined, connections = 0): LocalPolicy {
  const draining = new Map(connections === 0 ? [] : [[80, connections]]);
  const rest = {
    labels: new Map(),
    hasListeners: true,
    isUnsure: false,
    nack: undefined,
    draining,
    oldConnections: "unobserved" as const,
  };
  return { proxyId: "p", spiffeId: idOf(name), applied, ...rest };
}

const nobody: PolicyKnown = {
  here: new Map(),
  answering: new Set(),
  unanswered: new Set(),
  away: new Map(),
};

/** A server that keeps, of each proxy that it may hear of, what it has said last and what it was sent since. */
class Server {
  readonly trusted = new Set(names);
  readonly here = new Map<string, ReportedPolicy>();
  readonly octets = new Map<string, Map<string, Uint8Array>>();
  readonly seen = new Map<string, Applied | undefined>();
  isComplete = false;
  /** How often each has come. */
  readonly arrivals = new Map<string, number>();

  take(messages: readonly ConnectRequest[]): void {
    for (const { message } of messages) {
      assert(message.case === "policy");
      const { full, complete, proxies, gone } = parsePolicyReport(message.value);
      assert.equal(full, !this.isComplete && this.here.size === 0 && this.seen.size === 0);
      // The end of a message first, as a server may.
      for (const key of gone) this.#leave(key);
      for (const proxy of proxies) this.#come(proxy);
      this.isComplete ||= complete;
    }
  }

  assign(name: string, { digest, octets }: (typeof policies)[number]): void {
    this.octets.get(keyOf(name))?.set(digest, octets);
  }

  #leave(key: string): void {
    this.here.delete(key);
    this.octets.delete(key);
  }

  #come(proxy: ReportedPolicy): void {
    const key = policyKey(proxy);
    if (!this.trusted.has(String(proxy.spiffeId).slice(-1))) return;
    if (!this.here.has(key)) this.arrivals.set(key, (this.arrivals.get(key) ?? 0) + 1);
    const known = this.octets.get(key) ?? new Map<string, Uint8Array>();
    const { applied } = proxy;
    if (applied !== undefined) {
      const octets = applied.octets ?? known.get(applied.digest);
      assert(octets !== undefined, "a digest that the server knows nothing of");
      const sentLater = [...known].slice([...known.keys()].indexOf(applied.digest) + 1);
      this.octets.set(key, new Map([[applied.digest, octets], ...sentLater]));
    } else this.octets.set(key, known);
    this.seen.set(key, applied && { digest: applied.digest, octets: undefined });
    this.here.set(key, proxy);
  }
}

interface Step {
  readonly name: string;
  readonly kind: "apply" | "assign" | "go" | "flap" | "forget" | "drain" | "answer";
  readonly at: number;
}
const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom(...names),
  kind: fc.constantFrom("apply", "apply", "assign", "go", "flap", "forget", "drain", "answer"),
  at: fc.nat({ max: 2 }),
});

test("a server has all octets of what it hears of, whatever comes and goes, and at the end it knows all", () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }), (turns) => {
      const [reporter, server] = [new PolicyReporter(), new Server()];
      const here = new Map<string, { proxy: LocalPolicy; life: symbol }>();
      const away = new Map<string, ReportedPolicy>();
      const known = (): PolicyKnown => {
        const gone = new Map([...away].filter(([key]) => !here.has(key)));
        const answering = new Set([...unanswered].filter((key) => here.has(key)));
        return { here: new Map(here), answering, unanswered: answering, away: gone };
      };
      const unanswered = new Set([keyOf("c")]);
      for (const name of names.slice(1)) {
        here.set(keyOf(name), { proxy: proxyOf(name, policies[0]), life: Symbol("life") });
      }
      away.set(keyOf("a"), { ...proxyOf("a", policies[1]), assignmentsAnswered: 0 });
      server.take(reporter.begin(known()));
      assert.deepEqual([[...server.here.keys()].length, server.isComplete], [2, true]);
      assert.equal(server.seen.get(keyOf("a"))?.digest, policies[1]?.digest);
      for (const turn of turns) {
        for (const { name, kind, at } of turn) {
          const key = keyOf(name);
          const state = here.get(key);
          const policy = policies[at];
          if (policy === undefined) continue;
          if (kind === "answer") {
            unanswered.delete(key);
          } else if (kind === "assign") {
            // The server sends to whom it has heard of.
            if (server.here.has(key)) {
              server.assign(name, policy);
              reporter.read(1, [[key, policy.digest]]);
            }
          } else if (kind === "forget") {
            // It could not judge the token: what it had of the proxy is nothing.
            server.here.delete(key);
            server.octets.delete(key);
            reporter.forget(new Set([idOf(name)]));
          } else if (kind === "go") {
            here.delete(key);
            if (state !== undefined) away.set(key, { ...state.proxy, assignmentsAnswered: 0 });
          } else if (kind === "flap" || state === undefined) {
            here.set(key, { proxy: proxyOf(name, policy), life: Symbol("life") });
          } else {
            const applied = kind === "drain" ? state.proxy.applied : policy;
            here.set(key, { life: state.life, proxy: proxyOf(name, applied, at) });
          }
        }
        server.take(reporter.update(known()));
      }
      assert.deepEqual([...server.here.keys()].toSorted(), [...here.keys()].toSorted());
      for (const [key, { proxy }] of here) {
        assert.equal(server.here.get(key)?.applied?.digest, proxy.applied?.digest);
        assert.deepEqual(server.here.get(key)?.draining, proxy.draining);
        assert.equal(server.here.get(key)?.isUnsure, unanswered.has(key));
      }
      assert.deepEqual(reporter.update(known()), []);
    }),
    { numRuns: 500 },
  );
});

test("who has gone and come in one turn is told to have", () => {
  const [reporter, server] = [new PolicyReporter(), new Server()];
  const proxy = proxyOf("a", policies[0]);
  const state = () => new Map([[keyOf("a"), { proxy, life: Symbol("life") }]]);
  const rest = { answering: new Set<string>(), unanswered: new Set<string>(), away: new Map() };
  server.take(reporter.begin({ here: state(), ...rest }));
  server.take(reporter.update({ here: state(), ...rest }));
  assert.equal(server.arrivals.get(keyOf("a")), 2);
});

test("what was acknowledged goes out as a digest where it was sent on this stream, and whole where it was not", () => {
  const [p1, p2] = policies;
  assert(p1 !== undefined && p2 !== undefined);
  const life = Symbol("life");
  const known = (applied: Applied): PolicyKnown => {
    const here = new Map([[keyOf("a"), { proxy: proxyOf("a", applied), life }]]);
    return { ...nobody, here };
  };
  for (const isSent of [true, false]) {
    const reporter = new PolicyReporter();
    const octets = (messages: readonly ConnectRequest[]) =>
      messages.map(({ message }) => {
        assert(message.case === "policy");
        return parsePolicyReport(message.value).proxies[0]?.applied?.octets !== undefined;
      });
    assert.deepEqual(octets(reporter.begin(known(p1))), [true]);
    if (isSent) reporter.read(1, [[keyOf("a"), p2.digest]]);
    assert.deepEqual(octets(reporter.update(known(p2))), [!isSent]);
  }
});

test("nothing known is one report, the first and the last", () => {
  const [first, ...others] = new PolicyReporter().begin(nobody);
  assert(first?.message.case === "policy");
  const { full, complete } = first.message.value;
  assert.deepEqual([full, complete, others], [true, true, []]);
});

test("who is on his way at the beginning is told to be unsure until he has arrived", () => {
  const [reporter, server] = [new PolicyReporter(), new Server()];
  const here = new Map(
    ["a", "b"].map((name) => [
      keyOf(name),
      { proxy: proxyOf(name, policies[0]), life: Symbol("life") },
    ]),
  );
  const known = (...answering: string[]): PolicyKnown => {
    return { ...nobody, here, answering: new Set(answering.map(keyOf)) };
  };
  const unsure = () => names.map((name) => server.here.get(keyOf(name))?.isUnsure);
  server.take(reporter.begin(known("a")));
  assert.deepEqual([unsure(), server.isComplete], [[true, false, undefined], true]);
  assert.deepEqual(reporter.update(known("a")), []);
  // Whoever gets something on this stream is no news: the server knows what.
  server.take(reporter.update(known("b")));
  assert.deepEqual(unsure(), [false, false, undefined]);
  assert.deepEqual(reporter.update(known()), []);
});

test("who comes while something is on his way that this stream has not sent is unsure", () => {
  const [reporter, server] = [new PolicyReporter(), new Server()];
  const known = (...answering: string[]): PolicyKnown => {
    const proxy = proxyOf("a", undefined);
    const here = new Map([[keyOf("a"), { proxy, life: Symbol("life") }]]);
    return { ...nobody, here, answering: new Set(answering.map(keyOf)) };
  };
  server.take(reporter.begin(known()));
  server.take(reporter.update(known("a")));
  assert.equal(server.here.get(keyOf("a"))?.isUnsure, true);
});

test("what was refused goes out whole where it was not sent on this stream, and once", () => {
  const [p1, p2] = policies;
  assert(p1 !== undefined && p2 !== undefined);
  const nack = { ...p2, detail: "no", resources: [], isPartial: true };
  const life = Symbol("life");
  const known = (connections: number): PolicyKnown => {
    const proxy = { ...proxyOf("a", p1, connections), nack };
    const here = new Map([[keyOf("a"), { proxy, life }]]);
    return { ...nobody, here };
  };
  for (const isSent of [true, false]) {
    const reporter = new PolicyReporter();
    const octets = (messages: readonly ConnectRequest[]) =>
      messages.map(({ message }) => {
        assert(message.case === "policy");
        return parsePolicyReport(message.value).proxies[0]?.nack?.octets !== undefined;
      });
    if (isSent) reporter.read(1, [[keyOf("a"), p2.digest]]);
    assert.deepEqual(octets(reporter.begin(known(0))), [!isSent]);
    assert.deepEqual(octets(reporter.update(known(1))), [false]);
  }
});

test("an answer counts for all that was read before it, and who owes one goes on with what it has answered", () => {
  const reporter = new PolicyReporter();
  const lives = new Map(names.map((name) => [name, Symbol("life")]));
  const known = (...owing: string[]): PolicyKnown => {
    const here = new Map(
      Array.from(lives, ([name, life]) => [keyOf(name), { proxy: proxyOf(name, undefined), life }]),
    );
    return { ...nobody, here, unanswered: new Set(owing.map(keyOf)) };
  };
  const answered = (messages: readonly ConnectRequest[]) =>
    messages.flatMap(({ message }) => {
      assert(message.case === "policy");
      const { proxies } = parsePolicyReport(message.value);
      return proxies.map((each) => [each.spiffeId?.slice(-1), each.assignmentsAnswered]);
    });
  const all = (a: number, b: number, c: number) => [
    ["a", a],
    ["b", b],
    ["c", c],
  ];
  assert.deepEqual(answered(reporter.begin(known())), all(0, 0, 0));
  const [p1] = policies;
  assert(p1 !== undefined);
  reporter.read(1, [[keyOf("a"), p1.digest]]);
  // To one that is not here.
  reporter.read(1, []);
  assert.deepEqual(answered(reporter.update(known("a"))), all(0, 2, 2));
  reporter.read(2, [[keyOf("b"), p1.digest]]);
  assert.deepEqual(answered(reporter.update(known("b"))), all(4, 2, 4));
  lives.set("b", Symbol("life"));
  lives.set("c", Symbol("life"));
  assert.deepEqual(answered(reporter.update(known("b"))), all(4, 0, 4));
});
