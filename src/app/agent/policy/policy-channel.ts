/** What one Envoy is to do, on its ADS stream: the feed's policy becomes listeners, clusters and endpoints, and its answers go back. */

import { randomBytes } from "node:crypto";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
  proxyResources,
} from "../../../core/envoy/proxy-resources.ts";
import type { Labels } from "../../../core/resources/resource.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import type { PolicyKind, PolicyOutcome, PolicyStream } from "../../../core/xds/policy-draft.ts";
import {
  openPolicyStream,
  receivePolicy,
  receivePolicyDelta,
  receivePolicySotw,
  type PolicyStep,
} from "../../../core/xds/policy-stream.ts";
import { resourceSet } from "../../../core/xds/resource-set.ts";
import type { DeltaRequest, SotwRequest } from "../../../core/xds/subscriber.ts";
import type { XdsProtocol, XdsResponse } from "../../../core/xds/subscription.ts";
import type { StreamEnd } from "../secret-channel.ts";
import { endOf } from "../secret-response.ts";
import type { GivenPolicy, OpenPolicy, PolicyFeed } from "./policy-feed.ts";
import type { PolicyOwner } from "./policy-owner.ts";

export interface PolicyChannelOptions {
  readonly protocol: XdsProtocol;
  /** Envoy's node id. */
  readonly proxyId: string;
  readonly labels: Labels;
  readonly owner: PolicyOwner;
  /** Whether a proxy's name is to be told with its workload's: there are others on this agent. */
  readonly namesWorkload: boolean;
  readonly feed: PolicyFeed;
  readonly nowMs: () => number;
  readonly send: (typeUrl: string, response: XdsResponse<undefined>) => void;
  readonly end: (end: StreamEnd) => void;
}

const typeUrls: Readonly<Record<PolicyKind, string>> = {
  clusters: clusterTypeUrl,
  endpoints: endpointTypeUrl,
  listeners: listenerTypeUrl,
};

/** Undefined for a type that is no part of a policy. */
export function policyKind(typeUrl: string): PolicyKind | undefined {
  if (typeUrl === typeUrls.clusters) return "clusters";
  if (typeUrl === typeUrls.endpoints) return "endpoints";
  return typeUrl === typeUrls.listeners ? "listeners" : undefined;
}

export class PolicyChannel {
  readonly #options: PolicyChannelOptions;
  #stopWaiting: (() => void) | undefined;
  #isFresh = false;
  #stream: PolicyStream;
  #open: OpenPolicy | undefined;
  #isClosed = false;

  constructor(options: PolicyChannelOptions) {
    this.#options = options;
    const noncePrefix = `${randomBytes(6).toString("hex")}-`;
    this.#stream = openPolicyStream({ protocol: options.protocol, typeUrls, noncePrefix });
  }

  receiveSotw(kind: PolicyKind, request: SotwRequest): void {
    const { versionInfo, responseNonce } = request;
    this.#meet(kind, responseNonce === "", versionInfo !== "");
    this.#take(receivePolicySotw(this.#stream, kind, request, this.#options.nowMs()));
  }

  receiveDelta(kind: PolicyKind, request: DeltaRequest): void {
    const { initialVersions, responseNonce } = request;
    this.#meet(kind, responseNonce === "", initialVersions.size > 0);
    this.#take(receivePolicyDelta(this.#stream, kind, request, this.#options.nowMs()));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaiting?.();
    this.#open?.close();
  }

  /**
   * An Envoy that has something says so in the first request for it on a new stream, and asks for endpoints only of clusters that it has.
   * What it has of one type may be nothing, though it has something of another.
   */
  #meet(kind: PolicyKind, isFirst: boolean, hasVersions: boolean): void {
    const { owner } = this.#options;
    if (this.#stopWaiting === undefined) {
      this.#isFresh = kind !== "endpoints" && !hasVersions;
    } else if (this.#isFresh && isFirst && hasVersions) {
      this.#isFresh = false;
      this.#stopWaiting();
      this.#open?.close();
      this.#open = undefined;
    } else return;
    this.#stopWaiting = owner.whenKnown((id) => this.#begin(id));
  }

  #begin(id: SpiffeId): void {
    const { feed, proxyId, labels, namesWorkload } = this.#options;
    const spiffeId = namesWorkload ? id.toString() : undefined;
    this.#open = feed.open({
      proxy: { proxyId, spiffeId },
      labels,
      hasListeners: true,
      isFresh: this.#isFresh,
      onPolicy: (given) => this.#give(given, id),
    });
    const { given } = this.#open;
    if (given !== undefined) this.#give(given, id);
  }

  #give({ digest, policy }: GivenPolicy, { trustDomain }: SpiffeId): void {
    const { clusters, endpoints, listeners } = proxyResources(policy, { trustDomain });
    const resources = {
      digest,
      clusters: resourceSet(clusters),
      endpoints: resourceSet(endpoints),
      listeners: resourceSet(listeners),
    };
    this.#take(receivePolicy(this.#stream, resources));
  }

  #take(step: PolicyStep): void {
    if (this.#isClosed) return;
    if (step.kind === "end") return this.#options.end(endOf(step));
    this.#stream = step.stream;
    for (const { kind, response } of step.responses) {
      this.#options.send(typeUrls[kind], response);
    }
    if (step.outcome !== undefined) this.#tell(step.outcome);
  }

  /** The feed may give the last good policy at once. */
  #tell(outcome: PolicyOutcome): void {
    const { digest } = outcome;
    if (outcome.kind === "acked") return this.#open?.acked(digest);
    const { detail, resources } = outcome;
    this.#open?.nacked({ digest, detail, resources });
  }
}
