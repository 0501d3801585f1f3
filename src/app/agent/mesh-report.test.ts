import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { proxyKey, type ProxyEvidence } from "../../core/roll/evidence.ts";
import { parseReport } from "../../edge/rpc/mesh-messages.ts";
import type { ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshReport, type Evidence, type ShownToken } from "./mesh-report.ts";

const names = ["a", "b", "c"];
const idOf = (name: string): string => `spiffe://td/${name}`;

/** A server that believes the tokens of `judged` only, and keeps what it may. */
class Server {
  readonly judged = new Set(names);
  readonly spokenFor = new Set<string>();
  readonly kept = new Map<string, ProxyEvidence>();
  sequence = 0n;

  /** @returns of whom it has kept nothing */
  take(messages: readonly ConnectRequest[]): string[] {
    return messages.flatMap(({ message }) => {
      if (message.case === "tokens") this.#takeTokens(message.value.tokens);
      return message.case === "report" ? this.#takeReport(parseReport(message.value)) : [];
    });
  }

  #takeTokens(tokens: readonly string[]): void {
    for (const [name = ""] of tokens) if (this.judged.has(name)) this.spokenFor.add(idOf(name));
  }

  #takeReport({ sequence, full, proxies, gone }: ReturnType<typeof parseReport>): string[] {
    assert.equal(sequence, ++this.sequence);
    if (full) this.kept.clear();
    for (const key of gone) this.kept.delete(key);
    return proxies.flatMap((proxy) => {
      const { spiffeId = "" } = proxy;
      if (!this.spokenFor.has(spiffeId)) return [spiffeId];
      this.kept.set(proxyKey(proxy), proxy);
      return [];
    });
  }
}

const proxy: fc.Arbitrary<ProxyEvidence> = fc.record({
  proxyId: fc.constantFrom("p", "q"),
  spiffeId: fc.constantFrom(...names).map(idOf),
  subscriptions: fc.array(
    fc.record({ streamId: fc.bigInt(0n, 3n), resourceName: fc.constant("default") }),
    {
      maxLength: 2,
    },
  ),
});
const evidence: fc.Arbitrary<Evidence> = fc
  .array(proxy, { maxLength: 6 })
  .map((all) => new Map(all.map((each) => [proxyKey(each), each])));
const tokens: readonly ShownToken[] = names.map((name) => {
  return { spiffeId: idOf(name), token: `${name}-token` };
});

test("what a server could not judge is counted once it can, whatever else changes meanwhile", () => {
  const steps = fc.array(fc.record({ evidence, judged: fc.subarray(names) }), { minLength: 1 });
  fc.assert(
    fc.property(steps, evidence, (steps, last) => {
      const [report, server] = [new MeshReport(), new Server()];
      server.judged.clear();
      let unproven = server.take(
        report.begin({ evidence: steps[0]?.evidence ?? new Map(), tokens }),
      );
      for (const { evidence, judged } of steps) {
        for (const name of judged) server.judged.add(name);
        report.forget(new Set(unproven));
        unproven = server.take(report.update({ evidence, tokens }));
      }
      for (const name of names) server.judged.add(name);
      // Whose evidence is new is found unproven first, and shown again then.
      for (let round = 0; round < 2; round++) {
        report.forget(new Set(unproven));
        unproven = server.take(report.update({ evidence: last, tokens }));
      }
      assert.deepEqual(unproven, []);
      assert.deepEqual(sorted(server.kept), sorted(structuredClone(last)));
    }),
  );
});

test("nothing is said twice to a server that has kept it", () => {
  const report = new MeshReport();
  const all = new Map([["k", { proxyId: "p", spiffeId: idOf("a"), subscriptions: [] }]]);
  assert.equal(report.begin({ evidence: all, tokens }).length, 2);
  assert.deepEqual(report.update({ evidence: structuredClone(all), tokens }), []);
  report.forget(new Set([idOf("b")]));
  const [shown, ...others] = report.update({ evidence: all, tokens });
  assert(shown?.message.case === "tokens");
  assert.deepEqual([shown.message.value.tokens, others], [["b-token"], []]);
});

test("what the agent says of itself goes out when it changes, and with each report", () => {
  const report = new MeshReport();
  const known = { evidence: new Map(), tokens: [] };
  const digest = "ab".repeat(32);
  const said = (messages: readonly ConnectRequest[]): unknown[] =>
    messages.map(({ message }) => {
      assert(message.case === "report");
      const { heldRootsDigest, unobservedReaders } = parseReport(message.value);
      return [heldRootsDigest, unobservedReaders ?? 0];
    });
  assert.deepEqual(said(report.begin({ ...known, unobservedReaders: 0 })), [[undefined, 0]]);
  const held = { ...known, heldRootsDigest: digest, unobservedReaders: 0 };
  assert.deepEqual(said(report.update(held)), [[digest, 0]]);
  assert.deepEqual(said(report.update(held)), []);
  assert.deepEqual(said(report.update({ ...held, unobservedReaders: 2 })), [[digest, 2]]);
  const evidence = new Map([["p", { proxyId: "p", subscriptions: [] }]]);
  const last = { ...held, evidence, unobservedReaders: 2 };
  assert.deepEqual(said(report.update(last)), [[digest, 2]]);
});

/** As texts: full, who, who is gone, whether the digest is said. */
const linesOf = (messages: readonly ConnectRequest[]): string[] =>
  messages.map(({ message }) => {
    assert(message.case === "report");
    const { full, proxies, gone, heldRootsDigest } = parseReport(message.value);
    const who = proxies.map(({ proxyId, subscriptions }) => `${proxyId}${subscriptions.length}`);
    const words = [full ? "full" : "", ...who, ...gone.map((key) => `-${key}`)];
    return [...words, heldRootsDigest === undefined ? "" : "held"].filter(Boolean).join(" ");
  });

const subscribed = (count: number, nameLength = 8): ProxyEvidence["subscriptions"] =>
  Array.from({ length: count }, (_, at) => {
    return { streamId: BigInt(at), resourceName: "n".repeat(nameLength) };
  });

test("which bundle the agent holds is said of it when all of its proxies are told, and not before", () => {
  const report = new MeshReport();
  const large = (count: number): Evidence =>
    new Map(
      ["p", "q", "r"].map((proxyId) => [
        proxyId,
        { proxyId, subscriptions: subscribed(count, 2_000) },
      ]),
    );
  const known = { evidence: large(20), tokens: [], heldRootsDigest: "ab".repeat(32) };
  assert.deepEqual(linesOf(report.begin(known)), ["full p20", "q20", "r20 held"]);
  const next = { ...known, heldRootsDigest: "cd".repeat(32), evidence: large(21) };
  const digests = report.update(next).map(({ message }) => {
    assert(message.case === "report");
    return parseReport(message.value).heldRootsDigest?.slice(0, 2);
  });
  assert.deepEqual(digests, ["ab", "ab", "cd"]);
});

test("a server that may have forgotten it is told who is away, and what a proxy had before", () => {
  const report = new MeshReport();
  const one = (proxyId: string, count: number): readonly [string, ProxyEvidence] => [
    proxyId,
    { proxyId, subscriptions: subscribed(count) },
  ];
  const known = {
    tokens: [],
    evidence: new Map([one("here", 1)]),
    remembered: new Map([one("here", 2), one("away", 3)]),
  };
  assert.deepEqual(linesOf(report.begin(known)), ["full here2 away3", "-away"]);
  assert.deepEqual(linesOf(report.update(known)), []);
  // The server follows by itself what changes on one stream.
  const changed = { ...known, evidence: new Map([one("here", 3)]) };
  assert.deepEqual(linesOf(report.update(changed)), ["here3"]);
  const back = { ...changed, evidence: new Map([one("here", 3), one("away", 1)]) };
  assert.deepEqual(linesOf(report.update(back)), ["away1"]);
  assert.deepEqual(linesOf(report.update(changed)), ["away3", "-away"]);
  assert.deepEqual(linesOf(report.update({ ...changed, remembered: new Map() })), []);
  const empty = { tokens: [], evidence: new Map(), remembered: new Map([one("here", 4)]) };
  assert.deepEqual(linesOf(report.update(empty)), ["here4", "-here"]);
});

test("a server that has not kept who is away is told of them again", () => {
  const report = new MeshReport();
  const away = { proxyId: "p", spiffeId: idOf("a"), subscriptions: [] };
  const known = { tokens, evidence: new Map(), remembered: new Map([[proxyKey(away), away]]) };
  report.begin(known);
  report.forget(new Set([idOf("b")]));
  assert.equal(report.update(known).length, 1);
  report.forget(new Set([idOf("a")]));
  const [, ...told] = report.update(known);
  assert.deepEqual(linesOf(told), ["p0", `-${proxyKey(away)}`]);
});

function sorted(all: Evidence): readonly (readonly [string, ProxyEvidence])[] {
  return [...all].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
