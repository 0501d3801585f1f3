/**
 * The workloads of a node, each under the digest of its token: never under anything that the token says, since nothing here
 * can tell whether that is true.
 */

import type { ReceivedCertificate } from "./workload-set.ts";
import { status, type Metadata } from "@grpc/grpc-js";
import type { ProxyEvidence } from "../../core/roll/evidence.ts";
import type { ShownToken } from "./mesh-report.ts";
import { mergeProxies } from "./proxy-evidence.ts";
import { RefusedTokens } from "./refused-tokens.ts";
import type { StreamEnd } from "./secret-channel.ts";
import { streamToken, tokenDigest } from "./stream-token.ts";
import { Workload, type WorkloadDependencies } from "./workload.ts";
import type { VerifiedCertificate } from "./workload-store.ts";

export type WorkloadsDependencies = Omit<WorkloadDependencies, "onEnd">;

const workloadsMax = 4_096;
/** Tokens that the server has not judged yet. */
const waitingMax = 1_024;

const noToken = { code: status.UNAUTHENTICATED, details: "expected the workload's token" };
const tooMany = { code: status.RESOURCE_EXHAUSTED, details: "too many workloads: try again later" };

export class Workloads implements Disposable {
  readonly #dependencies: WorkloadDependencies;
  readonly #byDigest = new Map<string, Workload>();
  readonly #refused = new RefusedTokens();

  /** @param stored by digest: what earlier lives have verified */
  constructor(
    dependencies: WorkloadsDependencies,
    stored: ReadonlyMap<string, VerifiedCertificate>,
  ) {
    this.#dependencies = {
      ...dependencies,
      onEnd: (workload, end) => this.#forget(workload, end),
    };
    for (const [digest, verified] of stored) this.#add(digest, verified);
  }

  /** Whose Envoy calls. */
  find(metadata: Metadata): Workload | StreamEnd {
    const { events, nowMs } = this.#dependencies;
    let token: string;
    try {
      token = streamToken(metadata);
    } catch (error) {
      events.streamRefused(error);
      return noToken;
    }
    const digest = tokenDigest(token);
    const refused = this.#refused.get(digest, nowMs());
    if (refused !== undefined) return refused;
    const workload =
      this.#byDigest.get(digest) ?? (this.#hasRoom() ? this.#add(digest) : undefined);
    if (workload === undefined) return tooMany;
    workload.arrive(token);
    // Its token may have expired a moment ago.
    return this.#refused.get(digest, nowMs()) ?? workload;
  }

  /** The node's bundle has changed. */
  publish(): void {
    for (const workload of this.#byDigest.values()) workload.publish();
  }

  /** By `proxyKey`. */
  evidence(): Map<string, ProxyEvidence> {
    const all = new Map<string, ProxyEvidence>();
    for (const workload of this.#byDigest.values()) {
      for (const [key, proxy] of workload.evidence) {
        const other = all.get(key);
        all.set(key, other === undefined ? proxy : mergeProxies(other, proxy));
      }
    }
    return all;
  }

  /** Of those for whom the node may speak. */
  shownTokens(): ShownToken[] {
    return [...this.#byDigest.values()].flatMap(({ id, shownToken: token }) =>
      id === undefined || token === undefined ? [] : [{ spiffeId: id.toString(), token }],
    );
  }

  /** What is served. */
  received(): ReceivedCertificate[] {
    return [...this.#byDigest.values()].flatMap(({ received }) => received ?? []);
  }

  /** @param serials of certificates that the server asks to renew */
  renewNow(serials: ReadonlySet<string>): void {
    for (const workload of this.#byDigest.values()) workload.renewNow(serials);
  }

  [Symbol.dispose](): void {
    for (const workload of this.#byDigest.values()) workload[Symbol.dispose]();
  }

  #add(digest: string, verified?: VerifiedCertificate): Workload {
    const workload = new Workload(digest, this.#dependencies, verified);
    this.#byDigest.set(digest, workload);
    return workload;
  }

  #hasRoom(): boolean {
    if (this.#byDigest.size >= workloadsMax) return false;
    const waiting = [...this.#byDigest.values()].filter(({ id }) => id === undefined);
    return waiting.length < waitingMax;
  }

  #forget({ digest }: Workload, end: StreamEnd | undefined): void {
    const { store, nowMs, onEvidence } = this.#dependencies;
    this.#byDigest.delete(digest);
    if (end !== undefined) this.#refused.add(digest, end, nowMs());
    void store.remove(digest);
    onEvidence();
  }
}
