/**
 * One workload of a node agent: who showed one token, with a key of its own and the SDS streams that came with that token.
 * Until the server has believed the token, nothing is served; what is held then is served until certificate or token expire,
 * whatever the server says meanwhile. Another token is another workload, also when it is of the same identity.
 */

import type { ProxyEvidence } from "../../core/roll/evidence.ts";
import { decideRenewalMs } from "../../core/issuance/renewal.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { XdsFact } from "../../core/xds/subscription.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { BatchSigner, SignOutcome } from "./batch-signer.ts";
import { proxyEvidence } from "./proxy-evidence.ts";
import { decidePaceMs } from "./renewal-pace.ts";
import { SecretChannel, serialOf, type SecretStream, type StreamEnd } from "./secret-channel.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import {
  encodeCertificateSecrets,
  nothingYet,
  type BundleSecrets,
  type CertificateSecrets,
} from "./secrets.ts";
import { foreignNameAsked, isForeignName, tokenExpired, tokenRefused } from "./workload-end.ts";
import type { ReceivedCertificate } from "./workload-set.ts";
import type { VerifiedCertificate, WorkloadStore } from "./workload-store.ts";
import { decideRefusal, renewalError, type Refusal } from "./workload-refusal.ts";
import { decideWorkloadStep } from "./workload-step.ts";

export interface WorkloadDependencies {
  readonly signer: BatchSigner;
  readonly store: WorkloadStore;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly bundle: () => BundleSecrets | undefined;
  /** What it proves, or for whom it may be told, may have changed. */
  readonly onEvidence: () => void;
  /** It has come to its end, and how its streams end; undefined when it had none for long. */
  readonly onEnd: (workload: Workload, end: StreamEnd | undefined) => void;
}

interface Held {
  readonly secrets: CertificateSecrets;
  readonly receivedAtMs: number;
  readonly renewAtMs: number;
  readonly tokenExpiresAtMs: number;
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
  #isAsking = false;
  #askedAtMs = 0;
  #attempts = 0;
  #retryAtMs = 0;
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
    this.channel = new SecretChannel(
      {
        nowMs,
        streamsMax,
        onEvidence: () => this.#changed(),
        onFact: (stream, fact) => this.#tell(stream, fact),
        beforeAnswer: () => this.#beforeAnswer(),
        refuseName: (stream, name) => this.#refuseName(stream, name),
      },
      nothingYet,
    );
    const publish = this.channel.publish.bind(this.channel);
    this.#publisher = new SecretPublisher({ events, nowMs, publish });
    if (stored !== undefined) this.#hold(stored);
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
    const held = this.#held;
    return held && { certificate: held.secrets.certificate, receivedAtMs: held.receivedAtMs };
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
    const step = decideWorkloadStep(
      {
        streams: this.channel.streams.size,
        idleSinceMs: this.#idleSinceMs,
        isAsking: this.#isAsking,
        attempts: this.#attempts,
        retryAtMs: this.#retryAtMs,
        held: this.#held,
      },
      nowMs,
    );
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
    this.#isAsking = true;
    this.#askedAtMs = this.#dependencies.nowMs();
    this.#attempts += 1;
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
        events.signingPutOff(this.digest, outcome.error, this.#attempts);
        this.#retryLater(0, false);
    }
    this.#isAsking = false;
    this.#lookAtMs = nowMs();
    this.#look();
  }

  /** @returns false when it is over */
  #bear(refusal: Refusal): boolean {
    const { events, nowMs } = this.#dependencies;
    const validUntilMs = this.#validUntilMs();
    const step = decideRefusal(refusal, validUntilMs, nowMs());
    if (step === "end") {
      events.tokenRefused(this.digest, refusal.code, refusal.message);
      this.#end(tokenRefused(refusal.code));
      return false;
    }
    const isJudged = step === "keep";
    const error = isJudged ? renewalError(this.id, refusal) : refusal;
    if (isJudged) events.renewalFailed(error, this.#attempts, validUntilMs);
    else events.signingPutOff(this.digest, error, this.#attempts);
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
    await store.write(this.digest, signed);
    if (this.#isOver) return;
    this.#attempts = 0;
    this.#retryAtMs = 0;
    this.#hold(signed);
    events.certificateReceived(certificate, receivedAtMs - this.#askedAtMs);
  }

  #hold({ certificate, receivedAtMs, tokenExpiresAtMs }: VerifiedCertificate): void {
    const { random, onEvidence } = this.#dependencies;
    const renewAtMs = decideRenewalMs(receivedAtMs, certificate.notAfterMs, random());
    const secrets = encodeCertificateSecrets(certificate);
    this.#held = { secrets, receivedAtMs, renewAtMs, tokenExpiresAtMs };
    this.#evidence = undefined;
    this.publish();
    onEvidence();
  }

  #retryLater(atLeastMs: number, isJudged: boolean): void {
    const { nowMs, random } = this.#dependencies;
    const { notAfterMs } = this.#held?.secrets.certificate ?? {};
    const remainingMs = notAfterMs && notAfterMs - nowMs();
    const delayMs = decidePaceMs(this.#attempts - 1, remainingMs, isJudged, random());
    this.#retryAtMs = nowMs() + Math.max(delayMs, atLeastMs);
  }

  #validUntilMs(): number | undefined {
    const { secrets, tokenExpiresAtMs } = this.#held ?? {};
    return secrets && Math.min(secrets.certificate.notAfterMs, tokenExpiresAtMs ?? 0);
  }

  #end(end: StreamEnd | undefined): void {
    if (this.#isOver) return;
    this[Symbol.dispose]();
    this.#dependencies.onEnd(this, end);
    if (end !== undefined) this.channel.end(end);
  }

  /** Whoever asks for somebody else by name is told so, and so is the operator. */
  #refuseName({ subscriber }: SecretStream, name: string): StreamEnd | undefined {
    const { id } = this;
    if (id === undefined || !isForeignName(id, name)) return undefined;
    this.#dependencies.events.foreignSecretAsked(id, subscriber.node?.id ?? "", name);
    return foreignNameAsked;
  }

  #tell(stream: SecretStream, fact: XdsFact): void {
    const proxyId = stream.subscriber.node?.id ?? "";
    this.#dependencies.events.secretAnswered(proxyId, fact, serialOf(stream, fact), this.id);
  }
}
