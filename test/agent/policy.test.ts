/** Policies on the mesh stream: from the server to an agent's proxies, and what those did back to the server; with real gRPC. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, mock, test, type Mock } from "node:test";
import { create } from "@bufbuild/protobuf";
import { pino } from "pino";
import { openConnections } from "../../src/app/agent/connections/open-connections.ts";
import { MeshLink, type MeshLinkOptions } from "../../src/app/agent/mesh-link.ts";
import { AgentPolicies } from "../../src/app/agent/policy/agent-policies.ts";
import type { OpenPolicy } from "../../src/app/agent/policy/policy-feed.ts";
import type { WorkloadSet } from "../../src/app/agent/workload-set.ts";
import type { ReportedPolicy } from "../../src/core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { encodePolicy, policyDigest } from "../../src/edge/rpc/policy-messages.ts";
import { AgentEvents } from "../../src/edge/telemetry/agent-events.ts";
import { ConnectResponseSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { until } from "../support/envoy.ts";
import { policyOf } from "../support/proxy-policies.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeTestLeaf } from "../support/test-leaf.ts";

const one = { proxyId: "proxy-1", spiffeId: undefined };
const [permissive, strict] = [policyOf("permissive"), policyOf("strict")];
const assignment = (policy: ProxyPolicy) => ({ ...one, octets: encodePolicy(policy) });
const digestOf = (policy: ProxyPolicy): string => policyDigest(encodePolicy(policy));

let own: AsyncDisposableStack;
let ca: ScriptedCa;
let stateDir: string;
let agent: Agent;

/** The part of an agent that speaks with the server. */
class Agent implements AsyncDisposable {
  readonly policies: AgentPolicies;
  readonly events: { readonly event: string }[];
  readonly link: MeshLink;
  /** A call for each look at what proxies hold. */
  readonly known: Mock<MeshLinkOptions["known"]>;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(parts: Pick<Agent, "policies" | "events" | "link" | "known">) {
    this.policies = parts.policies;
    this.events = parts.events;
    this.link = parts.link;
    this.known = parts.known;
    this.#ended = this.link.run(this.#stopping.signal);
  }

  /** @param remembered who is away and may still act */
  static async start(remembered: readonly string[]): Promise<Agent> {
    const logged: { readonly event: string }[] = [];
    const events = new AgentEvents(
      pino({}, { write: (text) => void logged.push(JSON.parse(text)) }),
    );
    const onChange = (): void => link.policiesChanged();
    const policies = await AgentPolicies.open({ stateDir, events, nowMs: Date.now, onChange });
    const connections = await openConnections({ stateDir, events, nowMs: Date.now });
    const certificate = await makeTestLeaf(ca.authority, SpiffeId.parse(ca.spiffeId));
    const set: WorkloadSet = { certificate, bundle: ca.authority.bundle, receivedAtMs: Date.now() };
    const proxies = new Map(remembered.map((proxyId) => [proxyId, { proxyId, subscriptions: [] }]));
    const known = mock.fn(() => ({ evidence: new Map(), remembered: proxies, tokens: [] }));
    const link: MeshLink = new MeshLink({
      server: ca.address,
      serverRoots: async () => Buffer.from(ca.rootPem),
      agentId: "agent-1",
      agentVersion: "0.0.0-test",
      stateDir,
      events,
      nowMs: Date.now,
      random: () => 0,
      set: () => set,
      known,
      policies,
      connections: connections.reports,
      onVerified: () => {},
      onBundle: () => {},
      onRenew: () => {},
    });
    return new Agent({ policies, events: logged, link, known });
  }

  /** An Envoy that takes what `takes` says, and refuses the rest. */
  envoy(takes: (policy: ProxyPolicy) => boolean = () => true): {
    readonly stream: OpenPolicy;
    readonly given: string[];
  } {
    const given: string[] = [];
    const stream: OpenPolicy = this.policies.open({
      proxy: one,
      labels: new Map([["app", "web"]]),
      hasListeners: true,
      onPolicy: ({ digest, policy }) => {
        given.push(digest);
        // Later, as Envoy does.
        setImmediate(() => {
          if (takes(policy)) stream.acked(digest);
          else stream.nacked({ digest, detail: "no", resources: ["inbound_8080"] });
        });
      },
    });
    return { stream, given };
  }

  count(event: string): number {
    return this.events.filter((each) => each.event === event).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
    await this.policies.settled();
  }
}

beforeEach(async () => {
  own = new AsyncDisposableStack();
  ca = own.use(await ScriptedCa.start());
  ca.knowsPolicy = true;
  stateDir = own.use(temporaryDirectory()).path;
});
afterEach(async () => own.disposeAsync());

async function start(remembered: readonly string[] = []): Promise<void> {
  agent = own.use(await Agent.start(remembered));
  await until(() => ca.reports.length > 0, "the stream");
}

async function restart(remembered: readonly string[] = []): Promise<void> {
  await agent[Symbol.asyncDispose]();
  forget();
  await start(remembered);
}

function forget(): void {
  ca.reports.length = 0;
  ca.policies.length = 0;
}

/** What was said of the proxy last. */
function said(): ReportedPolicy | undefined {
  return ca.policies
    .flatMap(({ proxies }) => proxies)
    .findLast(({ proxyId }) => proxyId === "proxy-1");
}

function saidWhole(): Uint8Array {
  return Uint8Array.from(said()?.applied?.octets ?? []);
}

async function untilApplied(policy: ProxyPolicy): Promise<void> {
  await until(() => said()?.applied?.digest === digestOf(policy), "it is applied");
}

describe("a server that knows no policy", () => {
  test("hears nothing of it", async () => {
    ca.knowsPolicy = false;
    await start();
    agent.envoy();
    agent.link.evidenceChanged();
    await until(() => ca.leaves.length > 0, "the leaves");
    await agent[Symbol.asyncDispose]();
    assert.deepEqual(ca.policies, []);
  });
});

describe("a server that knows policy", () => {
  beforeEach(async () => start());

  test("hears of all proxies first, of nobody where there is nobody", async () => {
    await until(() => ca.policies.length === 1, "the first report");
    assert.deepEqual(ca.policies, [{ full: true, complete: true, proxies: [], gone: [] }]);
    agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    assert.deepEqual([...(said()?.labels ?? [])], [["app", "web"]]);
    assert.deepEqual([said()?.applied, said()?.hasListeners], [undefined, true]);
  });

  test("tells a proxy what to do, and hears of it by its digest", async () => {
    const envoy = agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(permissive));
    await untilApplied(permissive);
    assert.deepEqual(said()?.applied, { digest: digestOf(permissive), octets: undefined });
    assert.deepEqual(envoy.given, [digestOf(permissive)]);
    assert.equal(agent.count("policy-applied"), 1);
    envoy.stream.close();
    await until(() => ca.policies.at(-1)?.gone[0] === "proxy-1", "it is gone");
  });

  test("hears of a refusal until a later policy is taken, and the last good one is in use", async () => {
    const envoy = agent.envoy(({ modes }) => modes.other !== "strict");
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(permissive));
    await untilApplied(permissive);
    ca.assign(assignment(strict));
    await until(() => said()?.nack !== undefined, "the refusal");
    const { digest, detail, resources } = said()?.nack ?? {};
    assert.deepEqual([digest, detail, resources], [digestOf(strict), "no", ["inbound_8080"]]);
    assert.equal(said()?.applied?.digest, digestOf(permissive));
    assert.deepEqual(envoy.given, [permissive, strict, permissive].map(digestOf));
    ca.assign(assignment(policyOf("disable")));
    await untilApplied(policyOf("disable"));
    await until(() => said()?.nack === undefined, "nothing is refused");
  });

  test("hears of all that answer at the same time in few messages, and nobody looks at what they hold", async () => {
    let given = 0;
    const names = Array.from({ length: 100 }, (_, at) => `proxy-${at}`);
    const streams = names.map((proxyId) =>
      agent.policies.open({
        proxy: { proxyId, spiffeId: undefined },
        labels: new Map(),
        hasListeners: true,
        onPolicy: () => (given += 1),
      }),
    );
    const octets = encodePolicy(strict);
    const heard = (): Set<string> =>
      new Set(
        ca.policies.flatMap(({ proxies }) =>
          proxies.flatMap(({ proxyId, applied }) => (applied === undefined ? [] : [proxyId])),
        ),
      );
    await until(() => ca.policies.flatMap(({ proxies }) => proxies).length >= 100, "all are there");
    ca.assign(...names.map((proxyId) => ({ proxyId, spiffeId: undefined, octets })));
    await until(() => given === 100, "all are given it");
    forget();
    const looks = agent.known.mock.callCount();
    for (const stream of streams) {
      stream.acked(digestOf(strict));
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await until(() => heard().size === 100, "all have answered");
    assert.equal(agent.known.mock.callCount(), looks);
    assert(ca.policies.length < 20, `${ca.policies.length} reports`);
  });

  test("sends what no agent can read, and the stream goes on", async () => {
    agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    const octets = Uint8Array.of(0xff);
    ca.assign({ ...one, octets }, { proxyId: "stranger", spiffeId: undefined, octets });
    await until(() => said()?.nack?.digest === policyDigest(octets), "it is refused");
    ca.assign(assignment(strict));
    await untilApplied(strict);
    assert.deepEqual([ca.hellos.length, agent.count("policy-unreadable")], [1, 1]);
  });

  test("hears the last count of connections, and not each, when it reads again", async () => {
    const envoy = agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    const resume = ca.pause();
    const changes = 2_000;
    const ports = Array.from({ length: 500 }, (_, at) => 8_080 + at);
    for (let count = 1; count <= changes; count++) {
      envoy.stream.draining(new Map(ports.map((port) => [port, count])), "unproven");
      await new Promise((resolve) => void setImmediate(resolve));
    }
    resume();
    await until(() => said()?.draining.get(8_080) === changes, "the last count");
    assert(ca.policies.length < changes / 2, `${ca.policies.length} reports`);
  });

  test("that could not judge a workload hears of its proxies again", async () => {
    const spiffeId = "spiffe://td/ns/a/sa/b";
    const proxy = { proxyId: "proxy-1", spiffeId };
    const use = { labels: new Map(), hasListeners: true, onPolicy: () => {} };
    agent.policies.open({ ...use, proxy });
    await until(() => said() !== undefined, "the proxy");
    forget();
    const value = { sequence: 1n, unproven: [spiffeId] };
    ca.pushRaw(create(ConnectResponseSchema, { message: { case: "reportAck", value } }));
    await until(() => said()?.spiffeId === spiffeId, "the proxy again");
  });

  test("that was away hears of it whole, and the policy has stayed", async () => {
    const envoy = agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(strict));
    await untilApplied(strict);
    ca.close();
    await until(() => agent.count("mesh-lost") > 0, "the loss");
    forget();
    await ca.open();
    await until(() => ca.policies.length > 0, "the report");
    const [{ full, complete } = { full: false, complete: false }] = ca.policies;
    assert.deepEqual([full, complete], [true, true]);
    assert.deepEqual(saidWhole(), encodePolicy(strict));
    assert.deepEqual(envoy.given, [digestOf(strict)]);
  });

  test("that comes back while a proxy is about to answer hears that it is unsure, and then of the answer", async () => {
    const given: string[] = [];
    const stream = agent.policies.open({
      proxy: one,
      labels: new Map(),
      hasListeners: true,
      onPolicy: ({ digest }) => void given.push(digest),
    });
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(strict));
    await until(() => given.length === 1, "the policy");
    assert.equal(said()?.isUnsure, false);
    ca.close();
    await until(() => agent.count("mesh-lost") > 0, "the loss");
    forget();
    await ca.open();
    await until(() => ca.policies.length > 0, "the report");
    const [{ complete } = { complete: false }] = ca.policies;
    assert.deepEqual([complete, said()?.isUnsure, said()?.applied], [true, true, undefined]);
    stream.acked(digestOf(strict));
    await untilApplied(strict);
    assert.deepEqual([saidWhole(), said()?.isUnsure], [encodePolicy(strict), false]);
  });

  test("that comes back after a refusal hears whole what was refused", async () => {
    agent.envoy(() => false);
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(strict));
    await until(() => said()?.nack !== undefined, "the refusal");
    const { isPartial, octets } = said()?.nack ?? {};
    assert.deepEqual([isPartial, octets], [true, undefined]);
    ca.close();
    await until(() => agent.count("mesh-lost") > 0, "the loss");
    forget();
    await ca.open();
    await until(() => said() !== undefined, "the report");
    assert.deepEqual(Uint8Array.from(said()?.nack?.octets ?? []), encodePolicy(strict));
    assert.deepEqual([said()?.isUnsure, said()?.applied], [false, undefined]);
  });

  test("hears from an agent that was restarted what its proxies have, also of those that are not back", async () => {
    agent.envoy();
    await until(() => said() !== undefined, "the proxy");
    ca.assign(assignment(strict));
    await untilApplied(strict);
    await restart(["proxy-1"]);
    await until(() => ca.policies.some(({ complete }) => complete), "the report");
    assert.deepEqual(saidWhole(), encodePolicy(strict));
    assert.deepEqual(
      ca.policies.flatMap(({ gone }) => gone),
      ["proxy-1"],
    );
    forget();
    const envoy = agent.envoy();
    assert.deepEqual(envoy.given, []);
    assert.deepEqual(envoy.stream.given?.policy, strict);
    await until(() => said() !== undefined, "it is back");
    assert.deepEqual(saidWhole(), encodePolicy(strict));
  });
});

test("an agent whose file of policies is damaged says so, and goes on without it", async () => {
  writeFileSync(join(stateDir, "policies.json"), "{", { mode: 0o600 });
  await start();
  assert.equal(agent.count("state-unreadable"), 1);
  agent.envoy();
  await until(() => said() !== undefined, "the proxy");
  ca.assign(assignment(strict));
  await untilApplied(strict);
});
