/**
 * A server, agents and real Envoys as processes, traffic between all of them, and at the end the verdict: not one handshake
 * may have failed, as either side counted.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PairsSeen } from "../../src/app/demo/mesh/coverage.ts";
import { totalTls, type MemberTls } from "../../src/app/demo/mesh/member.ts";
import { Mesh, meshId, nodeAgentId, type AgentPlan } from "../../src/app/demo/mesh/mesh.ts";
import { Operator } from "../../src/app/demo/mesh/operator.ts";
import { PairTraffic } from "../../src/app/demo/mesh/pair-traffic.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { mint } from "../support/control-plane.ts";
import { testEnvoy } from "../support/envoy.ts";
import { ServerProcess, type Mortality } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Wire } from "../support/wire.ts";

const trustDomain = TrustDomain.parse("mesh.test");
const startTimeoutMs = 60_000;
const complaintsMax = 1_000;
const requestTimeoutMs = 10_000;

export interface RigOptions {
  readonly agents: readonly AgentPlan[];
  /** Life of a certificate, in seconds. */
  readonly ttlSeconds: number;
  readonly ratePerSecond: number;
  /** More of the server's. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Of its first life. */
  readonly mortality?: (directory: string) => Mortality;
}

/** 20 workloads: four at an agent of their own each, and four at each of four nodes. */
export const twenty: readonly AgentPlan[] = [
  ...["s1", "s2", "s3", "s4"].map((name) => ({ name })),
  ...["a", "b", "c", "d"].map((node) => ({
    name: `node-${node}`,
    members: [1, 2, 3, 4].map((number) => `${node}${number}`),
  })),
];

export class Rig implements AsyncDisposable {
  readonly server: ServerProcess;
  readonly mesh: Mesh;
  readonly traffic: PairTraffic;
  readonly operator: Operator;
  /** What agents have complained of, in order; the first ones. */
  readonly complaints: readonly string[];
  readonly #plans: readonly AgentPlan[];
  readonly #wires: ReadonlyMap<string, Wire>;
  readonly #owned: AsyncDisposableStack;
  readonly #ends = new AbortController();
  readonly #running: Promise<void>;

  private constructor(
    parts: Pick<Rig, "server" | "mesh" | "complaints"> & {
      readonly wires: ReadonlyMap<string, Wire>;
    },
    { agents, ratePerSecond }: RigOptions,
    owned: AsyncDisposableStack,
  ) {
    this.server = parts.server;
    this.mesh = parts.mesh;
    this.complaints = parts.complaints;
    this.operator = new Operator(parts.server.admin, "test");
    this.#plans = agents;
    this.#wires = parts.wires;
    this.#owned = owned;
    this.traffic = new PairTraffic({
      members: parts.mesh.members,
      ratePerSecond,
      timeoutMs: requestTimeoutMs,
      nowMs: Date.now,
      random: Math.random,
    });
    this.#running = this.traffic.run(this.#ends.signal);
  }

  /** Resolves when every Envoy serves; the traffic has begun. */
  static async open(options: RigOptions): Promise<Rig> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const server = owned.use(
      await ServerProcess.create({
        dataDir: join(directory, "server"),
        flags: {
          "trust-domain": trustDomain.name,
          "default-ttl": `${options.ttlSeconds}s`,
          "node-agent": nodeAgentId(trustDomain).toString(),
          ...options.flags,
        },
      }),
    );
    await server.start(options.mortality?.(directory));
    const wires = new Map<string, Wire>();
    for (const { name } of options.agents) {
      wires.set(name, owned.use(await Wire.open(server.address)));
    }
    const complaints: string[] = [];
    const mesh = await Mesh.open(
      {
        directory,
        envoyBinary: await testEnvoy(),
        trustDomain,
        agents: options.agents,
        server: (agent) => wires.get(agent)?.address ?? "",
        serverRootFile: server.rootFile,
        mintToken: async (account) => mintFor(account),
        random: Math.random,
        onLost: (error) => process.emitWarning(error),
        onLine: (agent, line) => {
          const isComplaint = !line.includes('"level":"info"');
          if (isComplaint && complaints.length < complaintsMax) {
            complaints.push(`${agent}: ${line}`);
          }
        },
      },
      AbortSignal.timeout(startTimeoutMs),
    );
    owned.use(mesh);
    return new Rig({ server, mesh, wires, complaints }, options, owned.move());
  }

  wire(agent: string): Wire {
    const wire = this.#wires.get(agent);
    assert(wire !== undefined, `no agent ${agent}`);
    return wire;
  }

  /** Identities of the workloads that an agent serves. */
  workloadsOf(agent: string): readonly string[] {
    return this.#membersOf(agent).map((name) => meshId(trustDomain, name).toString());
  }

  /** Everybody whose evidence an agent brings. */
  identitiesOf(agent: string): readonly string[] {
    return [...this.workloadsOf(agent), nodeAgentId(trustDomain).toString()];
  }

  #membersOf(agent: string): readonly string[] {
    const plan = this.#plans.find(({ name }) => name === agent);
    return plan?.members ?? [agent];
  }

  /** Waits until all have been seen with a certificate of this root, by the order in which roots were first seen. */
  async untilAllHold(generation: number, timeoutMs = 60_000): Promise<void> {
    const { coverage } = this.traffic;
    for (const endMs = performance.now() + timeoutMs; ; await sleep(50)) {
      if (coverage.holders[generation] === this.mesh.members.size) return;
      const held = JSON.stringify(coverage.holders);
      assert(performance.now() < endMs, `expected all to hold root ${generation}, got ${held}`);
    }
  }

  /** Ends the traffic. @returns what both sides of all handshakes have counted */
  async verdict(): Promise<Verdict> {
    this.#ends.abort();
    await this.#running;
    // The callee's side of a handshake may end a little after the answer.
    await sleep(200);
    const counted = await Promise.all(
      [...this.mesh.members.values()].map((member) => member.tls()),
    );
    const { sent, failed, failures, slowestMs, coverage } = this.traffic;
    const { seen } = coverage;
    const { complaints } = this;
    const tls = totalTls(counted);
    return { sent, failed, failures, slowestMs, seen, tls, complaints };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort();
    await this.#running;
    await this.#owned.disposeAsync();
  }
}

export interface Verdict extends Pick<PairTraffic, "sent" | "failed" | "failures" | "slowestMs"> {
  readonly seen: PairsSeen;
  readonly tls: MemberTls;
  readonly complaints: readonly string[];
}

/** In a line, for a test's diagnostics. */
export function verdictText({ sent, failed, slowestMs, seen, tls }: Verdict): string {
  return JSON.stringify({ sent, failed, slowestMs, seen, tls });
}

/** Not one has failed, by anybody's count, and each request had a handshake of its own, counted at both ends. */
export function assertNoneFailed(verdict: Verdict): void {
  const { sent, failed, failures, tls } = verdict;
  const story = [
    ...failures.slice(0, failuresShown).map((failure) => JSON.stringify(failure)),
    ...verdict.complaints.slice(-complaintsShown),
  ];
  assert.equal(failed, 0, story.join("\n"));
  assert.deepEqual(tls.failures, {}, story.join("\n"));
  assert.equal(tls.resumed, 0);
  assert(tls.handshakes >= 2 * sent, `${tls.handshakes} handshakes for ${sent} requests`);
}

const failuresShown = 10;
const complaintsShown = 40;

function mintFor(account: string): string {
  const namespace = "mesh";
  const binding = {
    namespace,
    serviceaccount: { name: account, uid: `sa-${account}` },
    pod: { name: `${account}-0`, uid: `pod-${account}` },
  };
  const sub = `system:serviceaccount:${namespace}:${account}`;
  return mint({ sub, "kubernetes.io": binding });
}
