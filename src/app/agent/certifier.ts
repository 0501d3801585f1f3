/**
 * Keeps a workload certified: a new key and CSR at half of each certificate's life, again and again
 * until it works. It owns the set; whoever serves it is told of each change. A failure never takes
 * away what is still valid.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { decideRenewalMs } from "../../core/issuance/renewal.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { decideReplyBundle, decideStreamBundle } from "../../core/trust/held-bundle.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import { createCsr } from "../../core/x509/csr-create.ts";
import { isJudgement } from "../../edge/rpc/ca-client-error.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { checkReply, ReplyError } from "./certificate-reply.ts";
import { CertificateRequester } from "./certificate-request.ts";
import type { CredentialSource } from "./credential.ts";
import { decidePaceMs } from "./renewal-pace.ts";
import { isOfRoots, readServerRoots } from "./server-roots.ts";
import { writeWorkloadSet, type WorkloadSet } from "./workload-set.ts";

export interface CertifierOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly credential: CredentialSource;
  readonly stateDir: string;
  readonly trustDomain: TrustDomain | undefined;
  /** 0 asks for the server's default. */
  readonly ttlSeconds: number;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** What is held now: after each change, and at the moment when the certificate expires. */
  readonly onChange: (set: WorkloadSet) => void;
}

const requestTimeoutMs = 10_000;
/** Timers sleep at most so long, so that a machine that was suspended notices what it missed. */
const longestSleepMs = 30_000;

export class Certifier {
  readonly #options: CertifierOptions;
  readonly #requester: CertificateRequester;
  #set: WorkloadSet | undefined;
  /** False where certificates do not come of the roots that the server's own does: behind a proxy that ends TLS. */
  #rootsTell = true;
  /**
   * The end of the queue of changes: certificate and bundle come from two streams, and are one set.
   */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: CertifierOptions, stored: WorkloadSet | undefined) {
    this.#options = options;
    this.#requester = new CertificateRequester(options.credential, options.nowMs);
    this.#set = stored;
  }

  get set(): WorkloadSet | undefined {
    return this.#set;
  }

  /** Runs until the signal; then it returns, with nothing left to write. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#set !== undefined) await this.#sleepUntilDue(this.#set, signal);
      await this.#renewUntilDone(signal);
    }
    await this.#changes;
  }

  /** The mesh stream's word on whom to trust. @throws CertificateError, PublicKeyError, DerError */
  async takeBundle(came: TrustBundle): Promise<void> {
    // A root that Envoy cannot read would be refused, and with it every later certificate.
    came.roots.forEach(parseCertificate);
    // A key that nobody can read would fail every JWT-SVID of the bundle.
    came.jwtKeys.forEach(({ spki }) => parsePublicKey(spki));
    await this.#change((held) => {
      if (held === undefined) return undefined;
      const decision = decideStreamBundle(held.bundle, came);
      if (decision.kind === "rollback") {
        this.#options.events.bundleRollback(held.bundle.sequence, came.sequence);
      }
      return decision.kind === "replace" ? { ...held, bundle: decision.bundle } : undefined;
    });
  }

  /** Until its renewal, or until the server has another root: what the old one signed is worth nothing any more. */
  async #sleepUntilDue({ receivedAtMs, certificate }: WorkloadSet, signal: AbortSignal) {
    const { nowMs, random } = this.#options;
    const dueMs = decideRenewalMs(receivedAtMs, certificate.notAfterMs, random());
    while (!signal.aborted && nowMs() < dueMs && !(await this.#isOrphan(certificate))) {
      await pause(Math.min(dueMs - nowMs(), longestSleepMs), signal);
    }
  }

  async #isOrphan(certificate: WorkloadCertificate): Promise<boolean> {
    const { serverRootFile, nowMs } = this.#options;
    if (!this.#rootsTell) return false;
    const roots = await readServerRoots(serverRootFile).catch(() => undefined);
    return roots !== undefined && !isOfRoots(certificate, roots, nowMs());
  }

  async #renewUntilDone(signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    let wasValid = this.#remainingMs() > 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const renewal = await this.#tryRenew(attempt, signal);
      if (renewal === "done") return;
      const remainingMs = this.#remainingMs();
      // Many quick attempts while it lasted must not make for a long wait when it has just expired.
      if (wasValid && remainingMs <= 0) attempt = 0;
      wasValid = remainingMs > 0;
      // Not until a time: a clock that is set back must not make for a long wait.
      await pause(decidePaceMs(attempt, remainingMs, renewal === "judged", random()), signal);
    }
  }

  /** 0 without a certificate, or less with an expired one. */
  #remainingMs(): number {
    return this.#set === undefined ? 0 : this.#set.certificate.notAfterMs - this.#options.nowMs();
  }

  async #tryRenew(attempt: number, signal: AbortSignal): Promise<"done" | "failed" | "judged"> {
    const { events, nowMs } = this.#options;
    try {
      const startedMs = nowMs();
      const certificate = await this.#renew(signal);
      events.certificateReceived(certificate, nowMs() - startedMs);
      return "done";
    } catch (error) {
      const heldUntilMs = this.#remainingMs() > 0 ? this.#set?.certificate.notAfterMs : undefined;
      if (!signal.aborted) events.renewalFailed(error, attempt, heldUntilMs);
      return isJudgement(error) ? "judged" : "failed";
    }
  }

  async #renew(signal: AbortSignal): Promise<WorkloadCertificate> {
    const { server, serverRootFile, ttlSeconds, trustDomain, nowMs } = this.#options;
    const csr = await createCsr();
    const serverRoots = await readServerRoots(serverRootFile);
    const { csrPem } = csr;
    const request = { server, serverRoots, csrPem, ttlSeconds, timeoutMs: requestTimeoutMs };
    const held = this.#remainingMs() > 0 ? this.#set : undefined;
    const certChain = await this.#requester.request(request, held, signal);
    const receivedAtMs = nowMs();
    const { certificate, bundle } = checkReply(certChain, csr, trustDomain, receivedAtMs);
    this.#assertSameIdentity(certificate);
    this.#rootsTell = isOfRoots(certificate, serverRoots, receivedAtMs);
    await this.#change((held) => {
      const decision = decideReplyBundle(held?.bundle, bundle);
      return { certificate, receivedAtMs, bundle: decision.bundle };
    });
    return certificate;
  }

  /** An agent is one workload's for its life: a token that was swapped must not change whose key is served. */
  #assertSameIdentity({ id }: WorkloadCertificate): void {
    const held = this.#set?.certificate.id;
    if (held === undefined || held.equals(id)) return;
    throw new ReplyError(
      "reply-foreign-identity",
      `expected a certificate of ${held.toString()}, got ${id.toString()}`,
      {
        hint: "if it is another workload now: stop the agent, empty its state directory, start it",
      },
    );
  }

  /**
   * On disk first, so that a restarted agent has the key that Envoy holds. A disk that is full or gone is reported, and
   * takes no certificate away: it would cost the workload its identity, and the CA a signature for each attempt.
   */
  async #change(next: (held: WorkloadSet | undefined) => WorkloadSet | undefined): Promise<void> {
    const change = this.#changes.then(async () => {
      const set = next(this.#set);
      if (set === undefined) return;
      await writeWorkloadSet(this.#options.stateDir, set).catch((error: unknown) =>
        this.#options.events.stateNotWritten(error),
      );
      this.#set = set;
      this.#options.onChange(set);
    });
    this.#changes = change.catch(() => {});
    await change;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
