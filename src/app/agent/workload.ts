/**
 * One workload of a node agent: who showed one token, with a key of its own and the SDS streams that came with that token.
 * Until the server has believed the token, nothing is served; what is held then is served until certificate or token expire,
 * whatever the server says meanwhile. Another token is another workload, also when it is of the same identity.
 */

import type { ProxyEvidence } from "../../core/roll/evidence.ts";
import { decideRenewalMs } from "../../core/issuance/renewal.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import type { XdsFact } from "../../core/xds/subscription.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { BatchSigner, SignOutcome } from "./batch-signer.ts";
import { Asking } from "./asking.ts";
import { proxyEvidence } from "./proxy-evidence.ts";
import { wishDelayMsMax } from "./renewal-wish.ts";
import { SecretChannel, serialOf, type SecretStream, type StreamEnd } from "./secret-channel.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import {
  encodeCertificateSecrets,
  isUnder,
  nothingYet,
  type BundleSecrets,
  type CertificateSecrets,
} from "./secrets.ts";
import { refuseForeignName, tokenExpired, tokenRefused } from "./workload-end.ts";
import { receivedOf, validUntilMs, type Held } from "./workload-held.ts";
import type { ReceivedCertificate } from "./workload-set.ts";
import type { VerifiedCertificate, WorkloadStore } from "./workload-store.ts";
import { decideRefusal, renewalError, rootWithdrawn, type Refusal } from "./workload-refusal.ts";
import { decideWorkloadStep } from "./workload-step.ts";

export interface WorkloadDependencies {
  readonly signer: BatchSigner;
  readonly store: WorkloadStore;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly bundle: () => BundleSecrets | undefined;
  /** What came with a certificate: its root may be newer than the node's bundle. */
  readonly mergeBundle: (came: TrustBundle) => Promise<void>;
  /** Somebody has taken the bundle without a stream. */
  readonly onBundleFetched: (given: ReceivedCertificate) => void;
  /** What it proves, or for whom it may be told, may have changed. */
  readonly onEvidence: () => void;
  /** It has come to its end, and how its streams end; undefined when it had none for long. */
  readonly onEnd: (workload: Workload, end: StreamEnd | undefined) => void;
}

/** A pod has one proxy, which opens a stream for each secret. One that leaks them must not take the node's. */
const streamsMax = 64;
/** Looked at again at least so often, since a suspended machine's timers sleep with it. */
const longestTimerMs = 30_000;

export class Workload implements Disposable {
  readonly digest: string;
  readonly channel: SecretChannel;
  readonly #dependencies: WorkloadDependencies;
  readonly #publisher: SecretPublisher;
  /** Undefined after a restart, until a stream has brought it again. */
  #token: string | undefined;
  #held: Held | undefined;
  readonly #asking: Asking;
  #idleSinceMs: number;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #lookAtMs = 0;
  #evidence: ReadonlyMap<string, ProxyEvidence> | undefined;

  /** @param stored of an earlier life, verified then */
  constructor(digest: string, dependencies: WorkloadDependencies, stored?: VerifiedCertificate) {
    const { nowMs, events } = dependencies;
    this.digest = digest;
    this.#dependencies = dependencies;
    this.#idleSinceMs = nowMs();
    this.#asking = new Asking(dependencies.random);
    this.channel = new SecretChannel(
      {
        nowMs,
        streamsMax,
        onEvidence: () => this.#changed(),
        onFact: (stream, fact) => this.#tell(stream, fact),
        beforeAnswer: () => this.#beforeAnswer(),
        onBundleFetched: () => {
          if (this.received !== undefined) dependencies.onBundleFetched(this.received);
        },
        refuseName: (stream, name) => refuseForeignName(events, this.id, stream, name),
      },
      nothingYet,
    );
    const publish = this.channel.publish.bind(this.channel);
    this.#publisher = new SecretPublisher({ events, nowMs, publish });
    if (stored !== undefined) this.#hold(stored, encodeCertificateSecrets(stored.certificate));
    this.#schedule(0);
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
    if (id === undefined) return new Map();
    this.#evidence ??= proxyEvidence(this.channel.streams, id.toString());
    return this.#evidence;
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
    if (this.#held !== undefined && bundle !== undefined) {
      this.#publisher.publish(this.#held.secrets, bundle);
    }
  }

  /** The server asks for it. Many ask at the same time: each a moment later, by chance. */
  renewNow(serials: ReadonlySet<string>): void {
    const held = this.#held;
    if (held === undefined || !serials.has(held.secrets.certificate.serialHex)) return;
    const { nowMs, random } = this.#dependencies;
    held.renewAtMs = Math.min(held.renewAtMs, nowMs() + random() * wishDelayMsMax);
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#publisher[Symbol.dispose]();
  }

  #changed(): void {
    this.#evidence = undefined;
    if (this.channel.streams.size === 0) this.#idleSinceMs = this.#dependencies.nowMs();
    this.#look();
    this.#dependencies.onEvidence();
  }

  #beforeAnswer(): void {
    this.#publisher.withdrawExpired();
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
    this.#evidence = undefined;
    this.publish();
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

  #tell(stream: SecretStream, fact: XdsFact): void {
    const proxyId = stream.subscriber.node?.id ?? "";
    this.#dependencies.events.secretAnswered(proxyId, fact, serialOf(stream, fact), this.id);
  }
}
