/** What a flip and a check are told of a target, by what is recorded of its proxies and by what policy knows of them. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { peerYaml, shopManifests, workloadYaml } from "../../../../test/flips/flips-rig.ts";
import { flipOf } from "../../../../test/support/flips.ts";
import type { MemberSpan } from "../../../core/evidence/member.ts";
import type { Flip, FlipPorts } from "../../../core/flip/flip.ts";
import type { FlipVerdict } from "../../../core/flip/flip-view.ts";
import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";
import { parseManifests } from "../../../edge/resources/parse-manifests.ts";
import { ResourceSet } from "../policy/resources/resource-set.ts";
import { storedObject } from "../policy/resources/stored-object.ts";
import { notRecorded } from "./evidence-questions.ts";
import { FlipConfiguration } from "./flip-configuration.ts";
import { FlipVerdicts } from "./flip-verdicts.ts";
import { judge, type JudgeDependencies } from "./judgement.ts";

const dayMs = 24 * 3_600_000;
const nowMs = 100 * dayMs;
const lookBackMs = 7 * dayMs;

const memberOf = (name: string, more: Partial<StoredMember> = {}): StoredMember => ({
  key: name,
  proxy: name,
  name: `shop/${name}`,
  spiffeId: "spiffe://td/ns/shop/sa/api",
  labels: new Map([["app", "api"]]),
  bornMs: nowMs - 20 * dayMs,
  goneMs: undefined,
  ...more,
});

const spanOf = (member: StoredMember, port = 8080): MemberSpan => ({
  member: member.key,
  port,
  epochMs: member.bornMs,
  sinceMs: member.bornMs,
  untilMs: member.goneMs ?? nowMs,
  lostUnmeshed: 0,
  lostMeshed: 0,
  openUnnamed: 0,
});

interface Known {
  readonly members: readonly StoredMember[];
  readonly spans: readonly MemberSpan[];
  readonly hasListeners?: boolean;
  readonly seen?: JudgeDependencies["questions"]["seen"];
  readonly set?: ResourceSet;
}

function dependencies(known: Known, owned: DisposableStack): JudgeDependencies {
  const { members, spans, hasListeners = true, seen = () => Promise.resolve([]) } = known;
  const set = known.set ?? new ResourceSet(0, { directory: [], applied: [], cluster: [] });
  return {
    configuration: owned.use(new FlipConfiguration(set, "td")),
    questions: {
      ...notRecorded,
      seen,
      membersOf: () => Promise.resolve(members),
      spans: (keys) => Promise.resolve(spans.filter(({ member }) => keys.includes(member))),
      holders: () => Promise.resolve([]),
    },
    waivers: { of: () => [], namesOf: () => new Set() },
    absenceOf: () => undefined,
    hasListeners: () => hasListeners,
    nowMs: () => nowMs,
  };
}

const setOf = (...manifests: readonly string[]): ResourceSet =>
  new ResourceSet(1, {
    directory: [],
    cluster: [],
    applied: parseManifests(manifests.join("---"), "f.yaml").objects.map(storedObject),
  });

async function check(known: Known, ports: Partial<FlipPorts> = {}): Promise<readonly string[]> {
  using owned = new DisposableStack();
  const { target } = flipOf();
  const asked = { target, ports: { ports: [], exceptPorts: [], ...ports }, brokenCalls: [] };
  const { verdict } = await judge(dependencies(known, owned), { ...asked, lookBackMs });
  return [verdict.kind, ...verdict.silent.map(({ name, reason }) => `${name} ${reason}`)];
}

describe("a proxy that listens nowhere by policy, and that no object names a port of,", () => {
  const api = memberOf("api-0", { ports: [8080] });
  const other = memberOf("api-1", { ports: [] });
  const set = setOf(workloadYaml("api-1", "10.0.0.9"));
  const known = { members: [api, other], spans: [spanOf(api)], set };

  it("is UNKNOWN where it only asks by ext_authz, whatever policy knows of its ports", async () => {
    const silent = ["unknown", "proxy/shop/api-1 never-reported"];
    assert.deepEqual(await check({ ...known, hasListeners: false }), silent);
    assert.deepEqual(await check(known), ["safe"]);
  });

  it("is SAFE alone, too: there is nobody who could refuse; and not where another one is unheard of", async () => {
    const alone = { members: [other], spans: [], set };
    assert.deepEqual(await check(alone), ["safe"]);
    const silent = ["unknown", "proxy/shop/api-1 never-reported"];
    assert.deepEqual(await check({ ...alone, hasListeners: false }), silent);
    assert.deepEqual(await check({ ...alone, members: [] }), ["unknown", "target/shop/api nobody"]);
    const more = setOf(workloadYaml("api-1", "10.0.0.9"), workloadYaml("api-2", "10.0.0.8"));
    assert.deepEqual(await check({ ...alone, set: more }), ["unknown", "target/shop/api nobody"]);
  });
});

describe("a proxy that listens on nothing that is asked for", () => {
  const api = memberOf("api-0", { ports: [8080, 9090] });
  const other = memberOf("api-1", { ports: [9090] });
  const spans = [spanOf(api), spanOf(api, 9090), spanOf(other, 9090)];
  const known = { members: [api, other], spans };

  it("is in nobody's way where its ports are strict already", async () => {
    assert.deepEqual(await check(known, { exceptPorts: [9090] }), ["safe"]);
  });

  it("is so, too, when it is gone", async () => {
    const gone = memberOf("api-2", { goneMs: nowMs - dayMs });
    const more = { members: [api, gone], spans: [...spans, spanOf(gone, 9090)] };
    assert.deepEqual(await check(more, { exceptPorts: [9090] }), ["safe"]);
  });

  it("does not listen on a port that is asked for by number", async () => {
    const expected = ["unknown", "proxy/shop/api-1 no-listener"];
    assert.deepEqual(await check(known, { ports: [8080] }), expected);
  });

  it("has never told where it has told nothing, or has no listeners of ours", async () => {
    const expected = ["unknown", "proxy/shop/api-1 never-reported"];
    const untold = { ...known, spans: spans.slice(0, 2) };
    assert.deepEqual(await check(untold, { exceptPorts: [9090] }), expected);
    const own = { ...known, spans: spans.slice(0, 2), hasListeners: false };
    assert.deepEqual(await check(own, { exceptPorts: [9090] }), expected);
  });
});

describe("a flip whose workloads are strict, but for those that are gone,", () => {
  const fresh = memberOf("api-new", { bornMs: nowMs - dayMs, ports: [8080] });
  const old = memberOf("api-old", { goneMs: nowMs - dayMs });
  const all = { members: [fresh, old], spans: [spanOf(fresh), spanOf(old)] };
  const stage = {
    index: 0,
    workloads: ["shop/api-new"],
    openedMs: nowMs - 9_000,
    inForceMs: nowMs - 8_000,
  };
  const flip: Flip = { ...flipOf({ lookBackMs }), opened: [stage], state: { kind: "stage" } };
  const judged = async (known: Known): Promise<FlipVerdict> => {
    using owned = new DisposableStack();
    return await new FlipVerdicts(
      dependencies({ set: setOf(peerYaml("STRICT")), ...known }, owned),
    ).of(flip);
  };

  it("waits for nobody", async () => {
    assert.deepEqual(await judged(all), { kind: "nobody", names: [] });
    assert.deepEqual(await judged({ members: [fresh], spans: all.spans }), {
      kind: "nobody",
      names: [],
    });
  });

  it("waits for who called them, and for what they did not tell", async () => {
    const seen = () =>
      Promise.resolve([
        {
          member: old.key,
          port: 8080,
          kind: "plaintext" as const,
          isRefused: false,
          source: { kind: "address" as const, address: "10.0.0.7" },
          firstMs: nowMs - 2 * dayMs,
          lastMs: nowMs - 2 * dayMs,
          everFirstMs: nowMs - 2 * dayMs,
          count: 1,
          claim: "",
        },
      ]);
    assert.deepEqual(await judged({ ...all, seen }), { kind: "unsafe", names: ["10.0.0.7"] });
    const untold = await judged({ ...all, spans: [spanOf(fresh)] });
    assert.deepEqual(untold, { kind: "unknown", names: ["proxy/shop/api-old"] });
  });

  it("waits for one that is there and not strict", async () => {
    const more = memberOf("api-more", { ports: [8080] });
    const members = [...all.members, more];
    const known = { members, spans: [...all.spans, spanOf(more)] };
    assert.deepEqual(await judged(known), { kind: "safe", names: [] });
  });
});

it("a call that the configuration breaks counts as soon as whoever makes it is there", async () => {
  using owned = new DisposableStack();
  const plain = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: plain, namespace: web }
spec: { host: api.shop.internal, trafficPolicy: { tls: { mode: DISABLE } } }
`;
  const web = workloadYaml("web-0", "10.0.1.1").replace("namespace: shop", "namespace: web");
  const set = setOf(shopManifests(["api-0"], "STRICT"), plain);
  const api = memberOf("api-0", { ports: [8080] });
  const verdicts = new FlipVerdicts(
    dependencies({ members: [api], spans: [spanOf(api)], set }, owned),
  );
  const flip = flipOf({ lookBackMs });
  assert.deepEqual(await verdicts.of(flip), { kind: "safe", names: [] });
  const put = parseManifests(web, "f.yaml").objects.map(storedObject);
  set.change({ layer: "applied", put, remove: [] }, 2);
  const told = { kind: "unsafe", names: ["web/web-0"], isTold: true };
  assert.deepEqual(await verdicts.of(flip), told);
});

it("a call that is refused without the flip's object, too, is none the less broken by its stage", async () => {
  using owned = new DisposableStack();
  const plain = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: plain, namespace: web }
spec: { host: api.shop.internal, trafficPolicy: { tls: { mode: DISABLE } } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`;
  const web = workloadYaml("web-0", "10.0.1.1").replace("namespace: shop", "namespace: web");
  const set = setOf(shopManifests(["api-0"], "STRICT"), plain, web);
  const api = memberOf("api-0", { ports: [8080] });
  const known = { members: [api], spans: [spanOf(api)], set };
  const verdicts = new FlipVerdicts(dependencies(known, owned));
  const flip = flipOf({ lookBackMs });
  const edit = { ...flip.edit, beforeJson: undefined };
  const told = { kind: "unsafe", names: ["web/web-0"], isTold: true };
  assert.deepEqual(await verdicts.of({ ...flip, edit }), told);
});
