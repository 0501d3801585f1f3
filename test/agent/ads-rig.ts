/** The agent's discovery services over a real socket, with a feed and secrets that a test fills by hand. */

import { AdsService } from "../../src/app/agent/ads-service.ts";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import { proxyEvidence } from "../../src/app/agent/proxy-evidence.ts";
import { SdsService } from "../../src/app/agent/sds-service.ts";
import { SecretChannel } from "../../src/app/agent/secret-channel.ts";
import { nothingYet } from "../../src/app/agent/secrets.ts";
import { XdsCalls, xdsMessageBytesMax } from "../../src/app/agent/xds-calls.ts";
import type { SecretEvidence } from "../../src/core/envoy/secret.ts";
import type { SubscriptionEvidence } from "../../src/core/roll/evidence.ts";
import type { SpiffeId } from "../../src/core/spiffe/id.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { TestFeed } from "../support/policy-feed.ts";

const streamsMax = 256;

export class AdsRig implements Disposable {
  readonly feed: TestFeed = new TestFeed();
  readonly #socketPath: string;
  readonly #id: SpiffeId;
  #snapshot: Snapshot<SecretEvidence> = nothingYet;
  #channel: SecretChannel;
  #listening: Disposable | undefined;

  /** @param id of the workload that the agent is for */
  constructor(socketPath: string, id: SpiffeId) {
    this.#socketPath = socketPath;
    this.#id = id;
    this.#channel = this.#openChannel();
  }

  /** A new life of the agent: it knows what the feed knows, and the last secrets. */
  async start(): Promise<void> {
    this[Symbol.dispose]();
    const channel = this.#openChannel();
    this.#channel = channel;
    const owner = new PolicyOwner();
    owner.know(this.#id);
    const calls = new XdsCalls(() => ({ channel, owner }), streamsMax);
    const grpc = createLocalServer(xdsMessageBytesMax);
    new SdsService(calls).addTo(grpc);
    const { feed } = this;
    new AdsService(calls, { feed, namesWorkload: false, nowMs: Date.now }).addTo(grpc);
    this.#listening = await listenOnUnixSocket(grpc, this.#socketPath, 0o600);
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    this.#snapshot = snapshot;
    this.#channel.publish(snapshot);
  }

  /** What a proxy has proved of a secret, as the roll would get it. */
  evidence(proxyId: string, name: string): SubscriptionEvidence | undefined {
    const proxy = proxyEvidence(this.#channel.streams).get(proxyId);
    return proxy?.subscriptions.find(({ resourceName }) => resourceName === name);
  }

  get secretStreams(): number {
    return this.#channel.streams.size;
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
  }

  #openChannel(): SecretChannel {
    const nothing = (): void => {};
    return new SecretChannel(
      {
        nowMs: Date.now,
        streamsMax,
        onEvidence: nothing,
        onFact: nothing,
        onBundleFetched: nothing,
        beforeAnswer: nothing,
      },
      this.#snapshot,
    );
  }
}
