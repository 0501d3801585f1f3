/** All services of an agent's socket that Envoy sees, with a feed and secrets that a test fills by hand. */

import { pino } from "pino";
import type { OldConnections } from "../../src/core/policy/policy-report.ts";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import type { OpenPolicy, PolicyFeed, PolicyUser } from "../../src/app/agent/policy/policy-feed.ts";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import { addPolicyServices } from "../../src/app/agent/policy-services.ts";
import { SdsService } from "../../src/app/agent/sds-service.ts";
import { SecretChannel } from "../../src/app/agent/secret-channel.ts";
import { nothingYet } from "../../src/app/agent/secrets.ts";
import { XdsCalls, xdsMessageBytesMax, type FindPeer } from "../../src/app/agent/xds-calls.ts";
import type { SecretEvidence } from "../../src/core/envoy/secret.ts";
import type { SpiffeId } from "../../src/core/spiffe/id.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { TestFeed } from "../support/policy-feed.ts";

/** Also remembers what it was told of open connections. */
export class DrainingTestFeed implements PolicyFeed {
  readonly feed: TestFeed = new TestFeed();
  readonly told: ReadonlyMap<number, number>[] = [];
  old: OldConnections | undefined;

  open(user: PolicyUser): OpenPolicy {
    const draining = (ports: ReadonlyMap<number, number>, old?: OldConnections): void => {
      this.told.push(ports);
      this.old = old;
    };
    return { ...this.feed.open(user), draining };
  }
}

export interface DeniedLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class PolicyServicesRig implements Disposable {
  readonly feed: DrainingTestFeed = new DrainingTestFeed();
  readonly lines: DeniedLine[] = [];
  readonly owner: PolicyOwner = new PolicyOwner();
  /** Of the next start. */
  connections: ConnectionFeed = new ConnectionFeed({ nowMs: Date.now, resumed: () => undefined });
  /** Until a test says otherwise everybody is the one workload. */
  findPeer: FindPeer = () => ({ channel: this.#channel, owner: this.owner });
  readonly #socketPath: string;
  readonly #channel: SecretChannel;
  #stack: DisposableStack | undefined;

  /** @param id of the workload that the agent is for */
  constructor(socketPath: string, id: SpiffeId) {
    this.#socketPath = socketPath;
    this.owner.know(id);
    const nothing = (): void => {};
    const dependencies = {
      nowMs: Date.now,
      streamsMax: 64,
      onEvidence: nothing,
      onFact: nothing,
      onBundleFetched: nothing,
      beforeAnswer: nothing,
    };
    this.#channel = new SecretChannel(dependencies, nothingYet);
  }

  async start(): Promise<void> {
    const stack = new DisposableStack();
    const grpc = createLocalServer(xdsMessageBytesMax);
    const calls = new XdsCalls((metadata) => this.findPeer(metadata), 64);
    new SdsService(calls).addTo(grpc);
    const log = pino({}, { write: (text) => void this.lines.push(JSON.parse(text)) });
    const { feed, connections } = this;
    const options = { feed, connections, namesWorkload: false, log, nowMs: Date.now };
    stack.use(addPolicyServices(grpc, calls, options));
    stack.use(await listenOnUnixSocket(grpc, this.#socketPath, 0o600));
    this.#stack = stack;
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    this.#channel.publish(snapshot);
  }

  /** Of Envoys that take secrets. */
  nodes(): string[] {
    return Array.from(this.#channel.streams, ({ subscriber }) => subscriber.node?.id ?? "");
  }

  [Symbol.dispose](): void {
    this.#stack?.dispose();
  }
}
