/**
 * One workload of a node agent: who showed one token, with a key of its own and the SDS streams that came with that token.
 * Until the server has believed the token, nothing is served; what is held then is served until certificate or token expire,
 * whatever the server says meanwhile. Another token is another workload, also when it is of the same identity.
 */

import type { ProxyEvidence } from "../../core/roll/evidence.ts";
import { decideRenewalMs } from "../../core/issuance/renewal.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import type { BatchSigner, SignOutcome } from "./batch-signer.ts";
import { Asking } from "./asking.ts";
import { PolicyOwner } from "./policy/policy-owner.ts";
import { decideWithheldMs } from "./renewal-pace.ts";
import { wishDelayMsMax } from "./renewal-wish.ts";
import type { SecretChannel, StreamEnd } from "./secret-channel.ts";
import {
  encodeCertificateSecrets,
  isUnder,
  type BundleSecrets,
  type CertificateSecrets,
} from "./secrets.ts";
import { tokenExpired, tokenRefused } from "./workload-end.ts";
import { receivedOf, validUntilMs, type Held } from "./workload-held.ts";
import type { ReceivedCertificate } from "./workload-set.ts";
import type { VerifiedCertificate, WorkloadStore } from "./workload-store.ts";
import { decideRefusal, renewalError, rootWithdrawn, type Refusal } from "./workload-refusal.ts";
import { WorkloadServing, type ServingDependencies } from "./workload-serving.ts";
import { decideWorkloadStep } from "./workload-step.ts";

export interface WorkloadDependencies extends ServingDependencies {
  readonly signer: BatchSigner;
  readonly store: WorkloadStore;
  /** In [0, 1). */
  readonly random: () => number;
  readonly bundle: () => BundleSecrets | undefined;
  /** What came with a certificate: its root may be newer than the node's bundle. */
  readonly mergeBundle: (came: TrustBundle) => Promise<void>;
  /** What it proves, or for whom it may be told, may have changed. */
  readonly onEvidence: () => void;
  /** It has come to its end, and how its streams end; undefined when it had none for long. */
  readonly onEnd: (workload: Workload, end: StreamEnd | undefined) => void;
}

/** Looked at again at least so often, since a suspended machine's timers sleep with it. */
const longestTimerMs = 30_000;

export class Workload implements Disposable {
  readonly digest: string;
  readonly owner: PolicyOwner = new PolicyOwner();
  readonly #dependencies: WorkloadDependencies;
  readonly #serving: WorkloadServing;
  /** Undefined after a restart, until a stream has brought it again. */
  #token: string | undefined;
  #held: Held | undefined;
  readonly #asking: Asking;
  #idleSinceMs: number;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #lookAtMs = 0;

  /** @param stored of an earlier life, verified then */
  constructor(digest: string, dependencies: WorkloadDependencies, stored?: VerifiedCertificate) {
    this.digest = digest;
    this.#dependencies = dependencies;
    this.#idleSinceMs = dependencies.nowMs();
    this.#asking = new Asking(dependencies.random);
    this.#serving = new WorkloadServing(dependencies, {
      id: () => this.id,
      received: () => this.received,
      onChange: () => this.#changed(),
      onAnswer: () => this.#beforeAnswer(),
    });
    if (stored !== undefined) this.#hold(stored, encodeCertificateSecrets(stored.certificate));
    this.#schedule(0);
  }

  get channel(): SecretChannel {
    return this.#serving.channel;
  }

  /** Undefined until the server has believed its token. */
  get id(): SpiffeId | undefined {
    return this.#held?.secrets.certificate.id;
  }

  /** What the server may be shown as ours: verified, and still in date. */
  get shownToken(): string | undefined {
    const isGood =
      this.#held !== undefined && this.#dependencies.nowMs() < this.#held.tokenExpiresAtMs;
    return isGood ? this.#token : undefined;
  }

  /** For the log's witness. */
  get received(): ReceivedCertificate | undefined {
    return this.#held && receivedOf(this.#held);
  }

  /** By `proxyKey`; none before it is known whose it is. */
  get evidence(): ReadonlyMap<string, ProxyEvidence> {
    const { id } = this;
    return id === undefined ? new Map() : this.#serving.evidence(id);
  }

  /** A stream with this token is about to open. */
  arrive(token: string): void {
    this.#token = token;
    this.#idleSinceMs = this.#dependencies.nowMs();
    this.#look();
  }

  /** Sends what is held under the node's bundle, which may be a new one. */
  publish(): void {
    const bundle = this.#dependencies.bundle();
    if (this.#held === undefined || bundle === undefined) return;
    this.#serving.publish(this.#held.secrets, bundle);
    if (!isUnder(this.#held.secrets, bundle)) this.#renewWithin(this.#held, decideWithheldMs);
  }

  /** The server asks for it. Many ask at the same time: each a moment later, by chance. */
  renewNow(serials: ReadonlySet<string>): void {
    const held = this.#held;
    if (held === undefined || !serials.has(held.secrets.certificate.serialHex)) return;
    this.#renewWithin(held, (random) => random * wishDelayMsMax);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#serving[Symbol.dispose]();
  }

  #renewWithin(held: Held, delayMs: (random: number) => number): void {
    const { nowMs, random } = this.#dependencies;
    held.renewAtMs = Math.min(held.renewAtMs, nowMs() + delayMs(random()));
    this.#look();
  }

  #changed(): void {
    if (this.channel.streams.size === 0) this.#idleSinceMs = this.#dependencies.nowMs();
    this.#look();
    this.#dependencies.onEvidence();
  }

  #beforeAnswer(): void {
    if (this.#dependencies.nowMs() >= this.#lookAtMs) this.#look();
  }

  /** Does what is due, and comes back when the next thing is. */
  #look(): void {
    if (this.#isOver) return;
    const nowMs = this.#dependencies.nowMs();
    const { isAsking, attempts, retryAtMs } = this.#asking;
    const [streams, idleSinceMs, held] = [this.channel.streams.size, this.#idleSinceMs, this.#held];
    const state = { streams, idleSinceMs, isAsking, attempts, retryAtMs, held };
    const step = decideWorkloadStep(state, nowMs);
    switch (step.kind) {
      case "expire":
        this.#dependencies.events.tokenExpired(this.digest, this.id);
        return this.#end(tokenExpired);
      case "forget":
        return this.#end(undefined);
      case "ask":
        this.#ask();
        return this.#look();
      case "wait":
        this.#schedule(step.untilMs - nowMs);
    }
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    const shortMs = Math.min(delayMs, longestTimerMs);
    this.#lookAtMs = this.#dependencies.nowMs() + shortMs;
    this.#timer = setTimeout(() => this.#look(), shortMs).unref();
  }

  #ask(): void {
    const token = this.#token;
    if (token === undefined) throw new TypeError("a workload without a token asks for nothing");
    this.#asking.begin(this.#dependencies.nowMs());
    this.#dependencies.signer.submit({
      token,
      isWanted: () => !this.#isOver,
      settle: (outcome) => void this.#settle(outcome),
    });
  }

  async #settle(outcome: SignOutcome): Promise<void> {
    const { events, nowMs } = this.#dependencies;
    switch (outcome.kind) {
      case "signed":
        await this.#take(outcome);
        break;
      case "refused":
        if (!this.#bear(outcome)) return;
        break;
      case "invalid":
        events.signingPutOff(this.digest, outcome.error, this.#asking.attempts);
        this.#retryLater(0, false);
    }
    this.#asking.isAsking = false;
    this.#lookAtMs = nowMs();
    this.#look();
  }

  /** @returns false when it is over */
  #bear(refusal: Refusal): boolean {
    const { events, nowMs } = this.#dependencies;
    const heldUntilMs = this.#held && validUntilMs(this.#held);
    const step = decideRefusal(refusal, heldUntilMs, nowMs());
    if (step === "end") {
      events.tokenRefused(this.digest, refusal.code, refusal.message);
      this.#end(tokenRefused(refusal.code));
      return false;
    }
    const isJudged = step === "keep";
    const error = isJudged ? renewalError(this.id, refusal) : refusal;
    if (isJudged) events.renewalFailed(error, this.#asking.attempts, heldUntilMs);
    else events.signingPutOff(this.digest, error, this.#asking.attempts);
    this.#retryLater(refusal.retryAfterMs, isJudged);
    return true;
  }

  /** On disk first, so that a restarted agent has the key that Envoy holds. */
  async #take(signed: Extract<SignOutcome, { kind: "signed" }>): Promise<void> {
    const { certificate, receivedAtMs } = signed;
    const { store, events } = this.#dependencies;
    const held = this.id;
    if (held !== undefined && !held.equals(certificate.id)) {
      events.identityChanged(this.digest, held, certificate.id);
      return this.#end(tokenRefused());
    }
    const secrets = encodeCertificateSecrets(certificate);
    if (!this.#isServable(secrets)) await this.#dependencies.mergeBundle(signed.bundle);
    if (!this.#isServable(secrets)) {
      events.signingPutOff(this.digest, rootWithdrawn(certificate), this.#asking.attempts);
      return this.#retryLater(0, false);
    }
    await store.write(this.digest, signed);
    if (this.#isOver) return;
    const tookMs = this.#asking.succeed(receivedAtMs);
    this.#hold(signed, secrets);
    events.certificateReceived(certificate, tookMs);
  }

  #isServable(secrets: CertificateSecrets): boolean {
    const bundle = this.#dependencies.bundle();
    return bundle !== undefined && isUnder(secrets, bundle);
  }

  #hold(verified: VerifiedCertificate, secrets: CertificateSecrets): void {
    const { certificate, receivedAtMs, tokenExpiresAtMs } = verified;
    const { random, onEvidence } = this.#dependencies;
    const renewAtMs = decideRenewalMs(receivedAtMs, certificate.notAfterMs, random());
    this.#held = { secrets, receivedAtMs, renewAtMs, tokenExpiresAtMs };
    this.publish();
    this.owner.know(certificate.id);
    onEvidence();
  }

  #retryLater(atLeastMs: number, isJudged: boolean): void {
    const { notAfterMs } = this.#held?.secrets.certificate ?? {};
    this.#asking.retryLater(notAfterMs, atLeastMs, isJudged, this.#dependencies.nowMs());
  }

  #end(end: StreamEnd | undefined): void {
    if (this.#isOver) return;
    this[Symbol.dispose]();
    this.#dependencies.onEnd(this, end);
    if (end !== undefined) this.channel.end(end);
  }
}
