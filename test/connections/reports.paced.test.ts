/** What an agent tells its server of connections, and when, over a real mesh stream. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import {
  openConnections,
  type AgentConnections,
} from "../../src/app/agent/connections/open-connections.ts";
import { MeshLink } from "../../src/app/agent/mesh-link.ts";
import { AgentPolicies } from "../../src/app/agent/policy/agent-policies.ts";
import type { WorkloadSet } from "../../src/app/agent/workload-set.ts";
import { policyKey } from "../../src/core/policy/policy-report.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { AgentEvents } from "../../src/edge/telemetry/agent-events.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeTestLeaf } from "../support/test-leaf.ts";
import { ToldEnvoy } from "../support/told-envoy.ts";

const spiffeId = "spiffe://td.test/ns/shop/sa/web";
const name = { proxyId: "web-0", spiffeId };

let own: AsyncDisposableStack;
let ca: ScriptedCa;
let stateDir: string;

beforeEach(async () => {
  own = new AsyncDisposableStack();
  ca = own.use(await ScriptedCa.start());
  stateDir = own.use(temporaryDirectory()).path;
});
afterEach(async () => own.disposeAsync());

class Agent implements AsyncDisposable {
  readonly #connections: AgentConnections;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  readonly envoy: ToldEnvoy;

  private constructor(connections: AgentConnections, link: MeshLink) {
    this.#connections = connections;
    this.#ended = link.run(this.#stopping.signal);
    const { feed } = connections;
    const open = () => ({ log: feed.log(name), flushes: feed.observe(name) });
    // Envoys live on.
    this.envoy = new ToldEnvoy({ open, nowMs: Date.now() - 3_600_000 });
  }

  static async start(): Promise<Agent> {
    const events = new AgentEvents(pino({ level: "silent" }));
    const options = { stateDir, events, nowMs: Date.now };
    const connections = await openConnections(options);
    const policies = await AgentPolicies.open({ ...options, onChange: () => {} });
    const certificate = await makeTestLeaf(ca.authority, SpiffeId.parse(ca.spiffeId));
    const set: WorkloadSet = { certificate, bundle: ca.authority.bundle, receivedAtMs: Date.now() };
    const link = new MeshLink({
      ...options,
      server: ca.address,
      serverRoots: async () => Buffer.from(ca.rootPem),
      agentId: "agent-1",
      agentVersion: "0.0.0-test",
      random: () => 0,
      set: () => set,
      known: () => ({ evidence: new Map(), tokens: [{ spiffeId, token: "a.b.c" }] }),
      policies,
      connections: connections.reports,
      onVerified: () => {},
      onBundle: () => {},
      onRenew: () => {},
    });
    return new Agent(connections, link);
  }

  /** It has heard that the server has covered some of its time. */
  get isAcknowledged(): boolean {
    return this.#connections.memory.resumed(policyKey(name)) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
    await this.#connections.memory.settled();
  }
}

/** With an Envoy that is there for a while. */
async function start(): Promise<Agent> {
  const agent = own.use(await Agent.start());
  agent.envoy.flushes(3);
  await until(() => ca.meshStreams === 1, "the stream");
  return agent;
}

describe("a server that knows nothing of connections", () => {
  test("is told nothing of them", async () => {
    const { envoy } = await start();
    envoy.call("10.0.0.1");
    envoy.flush();
    await sleep(300);
    assert.deepEqual(ca.connections, []);
  });
});

describe("a server that wants to be told of connections", () => {
  beforeEach(() => (ca.collectMs = 60_000));

  test("hears within 200 ms of who was not known before, and of others after the interval", async () => {
    ca.collectMs = 1_500;
    const { envoy } = await start();
    envoy.call("10.0.0.1");
    const calledMs = performance.now();
    await until(() => count("10.0.0.1") === 1, "the report");
    assert.ok(performance.now() - calledMs < 200);
    const heardMs = performance.now();
    envoy.call("10.0.0.1");
    envoy.call("10.0.0.1");
    await until(() => count("10.0.0.1") === 3, "the next report");
    const tookMs = performance.now() - heardMs;
    assert.ok(tookMs > 1_000 && tookMs < 2_500, `${tookMs} ms`);
  });

  test("is told the next one when it has answered, and the same again on the next stream", async () => {
    const { envoy } = await start();
    ca.connectionScript.push("unanswered");
    envoy.call("10.0.0.1");
    await until(() => count("10.0.0.1") === 1, "the report");
    envoy.call("10.0.0.2");
    await sleep(300);
    assert.equal(count("10.0.0.2"), 0);
    const [first] = ca.connections.slice(-1);
    ca.close();
    await ca.open();
    await until(() => count("10.0.0.2") === 1, "the other one");
    assert.deepEqual(ca.connections.slice(-2, -1), [first]);
    assert.equal(ca.connections.at(-1)?.sequence, (first?.sequence ?? 0) + 1);
  });

  test("is told all that happened while it was away", async () => {
    const { envoy } = await start();
    ca.close();
    for (let at = 1; at <= 50; at++) {
      envoy.call(`10.0.0.${at % 10}`);
      envoy.flush();
    }
    await ca.open();
    await until(() => ca.connections.length > 0, "the report");
    const rows = ca.connections.flatMap(({ proxies }) => proxies.flatMap(({ seen }) => seen));
    assert.equal(
      rows.reduce((sum, each) => sum + each.count, 0),
      50,
    );
    const spans = ca.connections.flatMap(({ proxies }) => proxies.flatMap((each) => each.coverage));
    assert.ok(spans.every(({ lostUnmeshed }) => lostUnmeshed === 0));
  });

  test("is told again what it could not count", async () => {
    const { envoy } = await start();
    ca.connectionScript.push("unproven");
    envoy.call("10.0.0.1");
    await until(() => count("10.0.0.1") === 2, "it is said again");
    const sequences = ca.connections.map(({ sequence }) => sequence);
    assert.equal(new Set(sequences).size, sequences.length, "under a number of its own");
  });

  test("is not kept from all else by a report that it does not understand", async () => {
    const { envoy } = await start();
    ca.connectionScript.push("refused", "refused", "refused");
    envoy.call("10.0.0.1");
    await until(() => ca.connections.length === 3, "it was told three times");
    envoy.call("10.0.0.2");
    await until(() => count("10.0.0.2") === 1, "the next one");
  });

  test("hears of no gap when the agent is started again, and of what was lost meanwhile", async () => {
    const first = await start();
    first.envoy.call("10.0.0.1");
    first.envoy.flushes(3);
    await until(() => first.isAcknowledged, "it is covered");
    const before = spansOf().at(-1);
    const { epochMs, nowMs } = first.envoy;
    await first[Symbol.asyncDispose]();
    ca.connections.length = 0;

    const second = own.use(await Agent.start());
    second.envoy.goOn({ epochMs, nowMs, ended: 1 });
    second.envoy.lose(2);
    second.envoy.flushes(6);
    second.envoy.call("10.0.0.2");
    await until(() => spansOf().length > 0, "it is covered");
    const [after] = spansOf();
    assert.equal(after?.sinceMs, before?.untilMs);
    assert.equal(after?.lostUnmeshed, 2);
    const epochs = ca.connections.flatMap(({ proxies }) => proxies.map((each) => each.epochMs));
    assert.deepEqual(new Set(epochs), new Set([epochMs]));
  });
});

function count(address: string): number {
  const rows = ca.connections.flatMap(({ proxies }) => proxies.flatMap(({ seen }) => seen));
  const from = rows.filter(({ source }) => source.kind === "address" && source.address === address);
  return from.reduce((sum, each) => sum + each.count, 0);
}

function spansOf() {
  return ca.connections.flatMap(({ proxies }) => proxies.flatMap(({ coverage }) => coverage));
}
