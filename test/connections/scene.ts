/** A real Envoy with its agent's services, and what the agent would tell of connections. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import type { CountedConnections } from "../../src/app/agent/connections/connection-recorder.ts";
import type { ResumedLife } from "../../src/app/agent/connections/resumed-life.ts";
import type { SeenConnections } from "../../src/core/evidence/connection.ts";
import { adsBootstrap } from "../../src/core/envoy/ads-bootstrap.ts";
import {
  emptyPolicy,
  type AppAddress,
  type InboundPort,
} from "../../src/core/policy/proxy-policy.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { PolicyServicesRig } from "../agent/policy-services-rig.ts";
import { MeshPki, serverId } from "../policy-envoy/certificates.ts";
import { inboundPort } from "../policy-envoy/policies.ts";
import { WatchingApp } from "../policy-envoy/watching-app.ts";
import { freePort, testEnvoy, until } from "../support/envoy.ts";
import { secretSnapshot } from "../support/sds-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { SdsCredential } from "../../src/core/envoy/tls-context.ts";
import type { FindPeer } from "../../src/app/agent/xds-calls.ts";
import type { PortKind } from "./callers.ts";

export interface SceneOptions {
  /** Of Envoy. */
  readonly credential?: SdsCredential;
  /** Whose a stream is; @param anybody the rig's own way */
  readonly findPeer?: (anybody: FindPeer) => FindPeer;
}

export class ConnectionScene implements AsyncDisposable {
  readonly mesh: MeshPki;
  readonly app: WatchingApp;
  readonly rig: PolicyServicesRig;
  readonly #stack: AsyncDisposableStack;
  readonly #directory: string;
  readonly #credential: SdsCredential;
  #envoy: EnvoyProcess;
  /** Taken from the feed, and not asked for yet. */
  #taken: CountedConnections[] = [];

  private constructor(parts: SceneParts, envoy: EnvoyProcess) {
    this.mesh = parts.mesh;
    this.app = parts.app;
    this.rig = parts.rig;
    this.#stack = parts.stack;
    this.#directory = parts.directory;
    this.#credential = parts.credential;
    this.#envoy = envoy;
  }

  static async open(options: SceneOptions = {}): Promise<ConnectionScene> {
    const { credential = { kind: "none" }, findPeer } = options;
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(temporaryDirectory());
    const mesh = new MeshPki(join(path, "mesh"));
    const app = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
    const rig = stack.use(new PolicyServicesRig(join(path, "sds.sock"), SpiffeId.parse(serverId)));
    if (findPeer !== undefined) rig.findPeer = findPeer(rig.findPeer);
    await rig.start();
    rig.publish(secretSnapshot(mesh.secrets(serverId)));
    const directory = join(path, "envoy");
    mkdirSync(directory);
    const envoy = await start(directory, credential);
    const parts = { mesh, app, rig, directory, credential, stack: stack.move() };
    return new ConnectionScene(parts, envoy);
  }

  /** Listens on one port for each of these. */
  async listen(
    kinds: readonly PortKind[],
    app: AppAddress = this.app.address,
  ): Promise<InboundPort[]> {
    const inbound: InboundPort[] = [];
    for (const { protocol, mode } of kinds) {
      inbound.push(inboundPort(await freePort(), protocol, mode, app));
    }
    await this.apply(inbound);
    return inbound;
  }

  async apply(inbound: readonly InboundPort[]): Promise<void> {
    const digest = this.rig.feed.feed.give({ ...emptyPolicy, inbound });
    await until(() => this.rig.feed.feed.acked.at(-1) === digest, "the policy is taken");
    await this.#envoy.waitUntilLive(AbortSignal.timeout(10_000));
  }

  /** Its last words are heard when it returns. */
  async stopEnvoy(): Promise<void> {
    await this.#envoy.stop();
  }

  async startEnvoy(): Promise<void> {
    this.#envoy = await start(this.#directory, this.#credential);
  }

  /** Nothing of it is left but what the next one is given. */
  killAgent(): void {
    this.rig[Symbol.dispose]();
  }

  async startAgent(resumed: ResumedLife | undefined): Promise<void> {
    this.#taken = [];
    this.rig.connections = new ConnectionFeed({ nowMs: Date.now, resumed: () => resumed });
    await this.rig.start();
  }

  /** All that was told since it was asked last, once time is covered until now on all of these ports. */
  async told(ports: readonly { readonly port: number }[]): Promise<ToldConnections> {
    const fromMs = Date.now();
    const isCovered = ({ port }: { readonly port: number }): boolean =>
      this.#taken.some(({ coverage }) =>
        coverage.some((each) => each.port === port && each.untilMs >= fromMs),
      );
    await until(() => {
      this.#taken.push(...this.rig.connections.take());
      return ports.every(isCovered);
    }, "the time is covered");
    const all = this.#taken;
    this.#taken = [];
    return new ToldConnections(all);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy.stop();
    await this.#stack.disposeAsync();
  }
}

interface SceneParts {
  readonly mesh: MeshPki;
  readonly app: WatchingApp;
  readonly rig: PolicyServicesRig;
  readonly directory: string;
  readonly credential: SdsCredential;
  readonly stack: AsyncDisposableStack;
}

/** Summed up over reports. */
export class ToldConnections {
  readonly all: readonly CountedConnections[];

  constructor(all: readonly CountedConnections[]) {
    this.all = all;
  }

  /** One for each kind and source, with the sum of its counts. */
  seen(port: number): SeenConnections[] {
    const seen = new Map<string, SeenConnections>();
    for (const each of this.all.flatMap((one) => one.seen)) {
      if (each.port !== port) continue;
      const key = JSON.stringify([each.kind, each.isRefused, each.source]);
      const there = seen.get(key);
      const count = each.count + (there?.count ?? 0);
      const claim = each.claim === "" ? (there?.claim ?? "") : each.claim;
      seen.set(key, { ...each, firstMs: there?.firstMs ?? each.firstMs, count, claim });
    }
    return [...seen.values()];
  }

  from(port: number, address: string): SeenConnections[] {
    return this.seen(port).filter(
      ({ source }) => source.kind === "address" && source.address === address,
    );
  }

  lost(port: number): { readonly unmeshed: number; readonly meshed: number } {
    const spans = this.all.flatMap(({ coverage }) => coverage).filter((each) => each.port === port);
    return {
      unmeshed: spans.reduce((sum, { lostUnmeshed }) => sum + lostUnmeshed, 0),
      meshed: spans.reduce((sum, { lostMeshed }) => sum + lostMeshed, 0),
    };
  }

  /** Spans of one life that follow upon each other. */
  assertWithoutGap(port: number): void {
    const spans = this.all.flatMap(({ epochMs, coverage }) =>
      coverage.filter((each) => each.port === port).map((span) => ({ epochMs, ...span })),
    );
    for (const [at, span] of spans.entries()) {
      const before = spans[at - 1];
      if (before?.epochMs === span.epochMs) assert.ok(span.sinceMs <= before.untilMs);
    }
  }
}

async function start(directory: string, sdsCredential: SdsCredential): Promise<EnvoyProcess> {
  const adminSocketPath = join(directory, "admin.sock");
  const bootstrap = adsBootstrap({
    nodeId: "server-0",
    nodeCluster: "shop",
    sdsSocketPath: join(directory, "../sds.sock"),
    sdsCredential,
    adminSocketPath,
    labels: new Map(),
    variant: "delta",
  });
  const binary = await testEnvoy();
  return startEnvoy({ binary, bootstrap, adminSocketPath, directory, drainSeconds: 1 });
}
