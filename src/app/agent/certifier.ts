/**
 * Keeps a workload certified: a new key and CSR at half of each certificate's life, or when the server asks for it or its root
 * was taken away, again and again until it works. A failure never takes away what is still valid.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { decideRenewalMs } from "../../core/issuance/renewal.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import { createCsr } from "../../core/x509/csr-create.ts";
import { isJudgement } from "../../edge/rpc/ca-client-error.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { checkReply, ReplyError } from "./certificate-reply.ts";
import { CertificateRequester } from "./certificate-request.ts";
import type { CredentialSource } from "./credential.ts";
import { decidePaceMs, decideWithheldMs } from "./renewal-pace.ts";
import { HeldSet } from "./held-set.ts";
import { KnownServer } from "./known-server.ts";
import { RenewalWish, wishDelayMsMax } from "./renewal-wish.ts";
import { isWithheld } from "./secrets.ts";
import type { WorkloadSet } from "./workload-set.ts";

export interface CertifierOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly credential: CredentialSource;
  /** The agent's name in the server's roll. */
  readonly agentId: string;
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
  readonly held: HeldSet;
  readonly #options: CertifierOptions;
  readonly #requester: CertificateRequester;
  readonly #server: KnownServer;
  readonly #wish = new RenewalWish();

  constructor(options: CertifierOptions, stored: WorkloadSet | undefined) {
    this.#options = options;
    this.#requester = new CertificateRequester(options.credential, options.nowMs);
    const onChange = (set: WorkloadSet): void => {
      options.onChange(set);
      this.#renewIfWithheld(set);
    };
    this.held = new HeldSet({ ...options, onChange }, stored);
    if (stored !== undefined) this.#renewIfWithheld(stored);
    this.#server = new KnownServer(options.serverRootFile, this.held, options.nowMs);
  }

  get set(): WorkloadSet | undefined {
    return this.held.set;
  }

  /** PEM: what the server is verified with now. @throws PrivateFileError */
  async serverRoots(): Promise<Uint8Array> {
    return (await this.#server.roots()).pem;
  }

  /** @param root (DER) that the server has just been verified by. Never rejects */
  async dialled(root: Uint8Array): Promise<void> {
    await this.#server
      .dialled(root)
      .catch((error: unknown) => this.#options.events.bundleNotKept(error));
  }

  /** The server asks for it; once for many requests, and not when another certificate is held by now. */
  renewNow(serials: ReadonlySet<string>): void {
    const serial = this.set?.certificate.serialHex;
    if (serial !== undefined && serials.has(serial)) {
      this.#wish.make(serial, this.#options.random() * wishDelayMsMax);
    }
  }

  #renewIfWithheld({ certificate, bundle }: WorkloadSet): void {
    if (!isWithheld(certificate, bundle)) return;
    this.#wish.make(certificate.serialHex, decideWithheldMs(this.#options.random()));
  }

  /** Runs until the signal; then it returns, with nothing left to write. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.set !== undefined) await this.#sleepUntilDue(this.set, signal);
      await this.#renewUntilDone(signal);
    }
    await this.held.settled();
  }

  /** Until its renewal, or until the server has another root: what the old one signed is worth nothing any more. */
  async #sleepUntilDue({ receivedAtMs, certificate }: WorkloadSet, signal: AbortSignal) {
    const { nowMs, random } = this.#options;
    const dueMs = decideRenewalMs(receivedAtMs, certificate.notAfterMs, random());
    const { serialHex } = certificate;
    while (!signal.aborted && nowMs() < dueMs && !this.#wish.isDue(serialHex)) {
      if (await this.#server.isOrphan()) return;
      await this.#wish.sleep(serialHex, Math.min(dueMs - nowMs(), longestSleepMs), signal);
      await this.held.retryWrite();
    }
  }

  async #renewUntilDone(signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    let wasValid = this.#remainingMs() > 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const renewal = await this.#tryRenew(attempt, signal);
      if (renewal === "done") return;
      await this.held.retryWrite();
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
    return this.set === undefined ? 0 : this.set.certificate.notAfterMs - this.#options.nowMs();
  }

  async #tryRenew(attempt: number, signal: AbortSignal): Promise<"done" | "failed" | "judged"> {
    const { events, nowMs } = this.#options;
    try {
      const startedMs = nowMs();
      const certificate = await this.#renew(signal);
      events.certificateReceived(certificate, nowMs() - startedMs);
      return "done";
    } catch (error) {
      const heldUntilMs = this.#remainingMs() > 0 ? this.set?.certificate.notAfterMs : undefined;
      if (!signal.aborted) events.renewalFailed(error, attempt, heldUntilMs);
      return isJudgement(error) ? "judged" : "failed";
    }
  }

  async #renew(signal: AbortSignal): Promise<WorkloadCertificate> {
    const { server, agentId, ttlSeconds, trustDomain, nowMs } = this.#options;
    const csr = await createCsr();
    const trusted = this.set?.bundle.roots ?? [];
    const { pem: serverRoots, file } = await this.#server.roots();
    let root: Uint8Array | undefined;
    const request = {
      server,
      serverRoots,
      agentId,
      onVerified: (verifiedBy: Uint8Array) => void (root = verifiedBy),
      csrPem: csr.csrPem,
      ttlSeconds,
      timeoutMs: requestTimeoutMs,
    };
    const held = this.#remainingMs() > 0 ? this.set : undefined;
    const isOrphan = (): Promise<boolean> => this.#server.isOrphan();
    const certChain = await this.#requester.request(request, held, isOrphan, signal);
    const receivedAtMs = nowMs();
    const { certificate, bundle } = checkReply(certChain, csr, trustDomain, receivedAtMs);
    this.#assertSameIdentity(certificate);
    this.#server.answered(file);
    const verified = root !== undefined && file !== undefined ? { root, file, trusted } : undefined;
    await this.held.takeCertificate({
      certificate,
      receivedAtMs,
      bundle,
      ...(verified && { verified }),
    });
    return certificate;
  }

  /** An agent is one workload's for its life: a token that was swapped must not change whose key is served. */
  #assertSameIdentity({ id }: WorkloadCertificate): void {
    const held = this.set?.certificate.id;
    if (held === undefined || held.equals(id)) return;
    throw new ReplyError(
      "reply-foreign-identity",
      `expected a certificate of ${held.toString()}, got ${id.toString()}`,
      {
        hint: "if it is another workload now: stop the agent, empty its state directory, start it",
      },
    );
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
