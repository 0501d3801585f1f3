/** What the Envoys of one workload of a node are served, and what they prove: its SDS streams, and nobody else's. */

import type { HeldCertificate, ProxyEvidence } from "../../core/roll/evidence.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { proxyEvidence } from "./proxy-evidence.ts";
import { SecretChannel, type SecretStream } from "./secret-channel.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import { serialOf } from "./secret-response.ts";
import { nothingYet, type BundleSecrets, type CertificateSecrets } from "./secrets.ts";
import { refuseForeignName } from "./workload-end.ts";
import type { ReceivedCertificate } from "./workload-set.ts";

export interface ServingDependencies {
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** Somebody has taken the bundle without a stream. */
  readonly onBundleFetched: (given: ReceivedCertificate) => void;
  /** A certificate goes out to a proxy. */
  readonly onCertificate: (
    proxy: Pick<ProxyEvidence, "proxyId" | "spiffeId">,
    certificate: HeldCertificate,
  ) => void;
}

/** Of the workload. */
export interface Served {
  /** Undefined until it is known whose it is. */
  readonly id: () => SpiffeId | undefined;
  readonly received: () => ReceivedCertificate | undefined;
  /** A stream has opened, closed or answered. */
  readonly onChange: () => void;
  readonly onAnswer: () => void;
}

/** A pod has one proxy, which opens a stream for each secret. One that leaks them must not take the node's. */
const streamsMax = 64;

export class WorkloadServing implements Disposable {
  readonly channel: SecretChannel;
  readonly #publisher: SecretPublisher;
  #evidence: ReadonlyMap<string, ProxyEvidence> | undefined;

  constructor(dependencies: ServingDependencies, { id, received, onChange, onAnswer }: Served) {
    const { nowMs, events, onBundleFetched, onCertificate } = dependencies;
    this.channel = new SecretChannel(
      {
        nowMs,
        streamsMax,
        onEvidence: () => {
          this.#evidence = undefined;
          onChange();
        },
        onFact: (stream, fact) =>
          events.secretAnswered(nodeIdOf(stream), fact, serialOf(stream, fact), id()),
        onCertificate: (stream, certificate) => {
          const spiffeId = id()?.toString();
          if (spiffeId === undefined) return;
          onCertificate({ proxyId: nodeIdOf(stream), spiffeId }, certificate);
        },
        beforeAnswer: () => {
          this.#publisher.withdrawExpired();
          onAnswer();
        },
        onBundleFetched: () => {
          const given = received();
          if (given !== undefined) onBundleFetched(given);
        },
        refuseName: (stream, name) => refuseForeignName(events, id(), stream, name),
      },
      nothingYet,
    );
    const publish = this.channel.publish.bind(this.channel);
    this.#publisher = new SecretPublisher({ events, nowMs, publish });
  }

  /** By `proxyKey`; the same while nothing has changed. */
  evidence(id: SpiffeId): ReadonlyMap<string, ProxyEvidence> {
    this.#evidence ??= proxyEvidence(this.channel.streams, id.toString());
    return this.#evidence;
  }

  publish(certificate: CertificateSecrets, bundle: BundleSecrets): void {
    this.#evidence = undefined;
    this.#publisher.publish(certificate, bundle);
  }

  [Symbol.dispose](): void {
    this.#publisher[Symbol.dispose]();
  }
}

function nodeIdOf({ subscriber }: SecretStream): string {
  return subscriber.node?.id ?? "";
}
