import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus } from "../src/edge/rpc/admin-client.ts";
import { fetchPolicyStatus } from "../src/edge/rpc/policy-status-client.ts";
import { changeResources } from "../src/edge/rpc/resource-client.ts";
import { changeRoot, fetchRootStatus, type RootCommand } from "../src/edge/rpc/root-client.ts";
import {
  mint,
  scrape,
  startControlPlane,
  type TestControlPlane,
} from "../test/support/control-plane.ts";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { Agents } from "./agents.ts";
import { findPrograms } from "./load-setup.ts";

const { programs, skip } = await findPrograms();
const count = 3;
const timeoutMs = 20_000;

class Rig implements AsyncDisposable {
  readonly plane: TestControlPlane;
  readonly agents: Agents;
  readonly #owned: AsyncDisposableStack;

  private constructor(plane: TestControlPlane, agents: Agents, owned: AsyncDisposableStack) {
    this.plane = plane;
    this.agents = agents;
    this.#owned = owned;
  }

  static async open(tokens: readonly string[], takesPolicy = false): Promise<Rig> {
    await using owned = new AsyncDisposableStack();
    const { path } = owned.use(temporaryDirectory());
    const plane = owned.use(await startControlPlane());
    const tokensFile = join(path, "tokens");
    writeFileSync(tokensFile, `${tokens.join("\n")}\n`);
    const { address, config } = plane;
    const rootFile = join(config.dataDir, "root-cert.pem");
    const agents = owned.use(
      new Agents({ program: programs.agents, address, rootFile, tokensFile, takesPolicy }),
    );
    return new Rig(plane, agents, owned.move());
  }

  /** All have a stream. */
  async greet(): Promise<void> {
    for (const [command, deed] of [
      ["certify", "certified"],
      ["connect", "connected"],
      ["greet", "greeted"],
    ] as const) {
      this.agents.command(command);
      await this.agents.done(deed, 1, timeoutMs);
    }
  }

  get admin(): string {
    return this.plane.controlPlane.endpoints.admin;
  }

  /** @returns the sequence of the bundle that has come of it */
  async order(command: RootCommand): Promise<number> {
    const request = { command, operator: "bench", dryRun: false };
    const { result } = await changeRoot(this.admin, request);
    assert.equal(result.case, "done", `expected ${command.kind} not to be refused`);
    return Number(this.plane.controlPlane.trust.bundle.sequence);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

const tokens = Array.from({ length: count }, (_, number) =>
  mint({ sub: `system:serviceaccount:shop:agent-${number}`, "kubernetes.io": bound(number) }),
);

function bound(number: number) {
  const serviceaccount = { name: `agent-${number}`, uid: `${number}` };
  return {
    namespace: "shop",
    serviceaccount,
    pod: { name: `pod-${number}`, uid: `pod-${number}` },
  };
}

describe("the agents of a bench", { skip, timeout: 60_000 }, () => {
  it("are all that a gate asks for: each with a proxy, and both confirm each bundle", async () => {
    await using rig = await Rig.open(tokens);
    await rig.greet();
    const { proxies, server } = await fetchStatus(rig.admin);
    assert.equal(server?.agentsConnected, count);
    assert.equal(proxies.filter(({ connected }) => connected).length, count);
    const startedAtMs = Date.now();
    const sequence = await rig.order({ kind: "prepare", source: {} });
    const { p50AtMs, p99AtMs, lastAtMs } = await rig.agents.done("taken", sequence, timeoutMs);
    // Two processes read one clock, each in its own steps.
    assert(startedAtMs - 2 <= p50AtMs && p50AtMs <= p99AtMs && p99AtMs <= lastAtMs);
    const { verifiers } = await fetchRootStatus(rig.admin, 0);
    assert.deepEqual([verifiers?.total, verifiers?.confirmed], [6n, 6n]);
  });

  it("report as often as they are told", async () => {
    await using rig = await Rig.open(tokens);
    await rig.greet();
    rig.agents.command("report 5");
    await rig.agents.done("reported", 1, timeoutMs);
    rig.agents.command("report 1");
    await rig.agents.done("reported", 2, timeoutMs);
  });

  it("take new certificates when they are asked to, and go on with them", async () => {
    await using rig = await Rig.open(tokens);
    await rig.greet();
    await rig.agents.done("taken", await rig.order({ kind: "prepare", source: {} }), timeoutMs);
    await rig.order({ kind: "activate" });
    await rig.agents.done("renewed", 1, timeoutMs);
    const { verifiers, reissue } = await fetchRootStatus(rig.admin, 0);
    assert.deepEqual([verifiers?.lagging, reissue?.left], [0n, 0n]);
  });

  it("have proxies that are told policies, and acknowledge them", async () => {
    await using rig = await Rig.open(tokens, true);
    await rig.greet();
    const spec = { mtls: { mode: "STRICT" } };
    const metadata = { name: "default", namespace: "istio-system" };
    const apiVersion = "security.istio.io/v1";
    const manifest = { apiVersion, kind: "PeerAuthentication", metadata, spec };
    const apply = [{ manifest, origin: "test" }];
    await changeResources(rig.admin, { apply, remove: [], isDryRun: false, operator: "bench" });
    let states: string[] = [];
    for (const endMs = Date.now() + timeoutMs; Date.now() < endMs; await sleep(20)) {
      states = (await fetchPolicyStatus(rig.admin)).proxies.map(({ state }) => state);
      if (states.length === count && states.every((state) => state === "in-force")) return;
    }
    assert.fail(states.join());
  });

  it("tell of connections, and all of it counts", async () => {
    await using rig = await Rig.open(tokens, true);
    await rig.greet();
    rig.agents.command("tell 2 100");
    await rig.agents.done("told", 1, timeoutMs);
    const metrics = await scrape(rig.plane);
    const counted = metrics.get('portcullis_evidence_reports_total{result="counted"}');
    // Ten callers, and the time.
    const rows = metrics.get("portcullis_evidence_rows_total");
    assert.deepEqual([counted, rows], [2 * count, 2 * count * 11]);
  });

  it("fail when one of them gets no certificate", async () => {
    await using rig = await Rig.open([...tokens, "no.good.token"]);
    rig.agents.command("certify");
    await assert.rejects(rig.agents.done("certified", 1, timeoutMs), { code: "load-run-failed" });
  });
});
