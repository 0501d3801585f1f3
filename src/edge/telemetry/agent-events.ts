/** What happens at an agent, one function and one log line for each event. */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import type { RestoredRange } from "../../core/log/restored.ts";
import type { LogAlarm, WitnessState } from "../../core/log/witness.ts";
import type { PolicyNack } from "../../core/policy/policy-report.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { XdsFact } from "../../core/xds/subscription.ts";
import type { Logger } from "./logger.ts";

/** Whose policy it is. */
interface PolicyOwner {
  readonly proxyId: string;
  readonly spiffeId: string | undefined;
}

/** A token goes by the head of its digest, never by itself; so does a policy. */
const short = (digest: string): string => digest.slice(0, 16);

export class AgentEvents {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  started(sdsSocket: string, warm: WorkloadCertificate | undefined): void {
    this.#log.info({ event: "agent-started", sdsSocket, ...shown(warm) }, "agent started");
  }

  stateUnreadable(error: unknown): void {
    this.#log.error({ event: "state-unreadable", ...problem(error) }, "stored state ignored");
  }

  stateNotWritten(error: unknown): void {
    this.#log.error(
      { event: "state-not-written", ...problem(error) },
      "state not written: a restart would begin without this certificate",
    );
  }

  certificateReceived(certificate: WorkloadCertificate, tookMs: number): void {
    this.#log.info(
      { event: "certificate-received", ...shown(certificate), tookMs },
      "certificate received",
    );
  }

  renewalFailed(error: unknown, attempt: number, heldNotAfterMs: number | undefined): void {
    const heldUntil = heldNotAfterMs && new Date(heldNotAfterMs).toISOString();
    const fields = { event: "renewal-failed", attempt, heldUntil, ...problem(error) };
    this.#log.warn(fields, "no new certificate: trying again");
  }

  certificateExpired(certificate: WorkloadCertificate): void {
    this.#log.error(
      { event: "certificate-expired", ...shown(certificate) },
      "certificate expired and withdrawn",
    );
  }

  bundleRollback(held: bigint, came: bigint): void {
    const fields = { event: "bundle-rollback", held: Number(held), came: Number(came) };
    this.#log.error(fields, "the server offers an older trust bundle: kept the newer one");
  }

  bundleNotKept(error: unknown): void {
    this.#log.error({ event: "bundle-not-kept", ...problem(error) }, "trust bundle not stored");
  }

  /** @param owner whose proxy it is, at a node agent */
  secretAnswered(
    proxyId: string,
    fact: XdsFact,
    serial: string | undefined,
    owner?: SpiffeId,
  ): void {
    const event = `secret-${fact.kind}`;
    const fields = {
      event,
      spiffeId: owner?.toString(),
      proxyId,
      ...fact,
      kind: undefined,
      serial,
    };
    if (fact.kind === "acked") this.#log.info(fields, "secret accepted");
    else this.#log.warn(fields, factMessages[fact.kind]);
  }

  /** A stream that came without a token that could be asked about. */
  streamRefused(error: unknown): void {
    this.#log.warn({ event: "stream-refused", ...problem(error) }, "SDS stream refused");
  }

  tokenRefused(digest: string, code: number, detail: string): void {
    this.#log.warn(
      { event: "token-refused", token: short(digest), code, detail },
      "the server does not believe a workload's token",
    );
  }

  tokenExpired(digest: string, owner: SpiffeId | undefined): void {
    this.#log.info(
      { event: "token-expired", token: short(digest), spiffeId: owner?.toString() },
      "token expired: its streams were ended",
    );
  }

  /** One token, two identities: a server that changes its mind is not followed. */
  identityChanged(digest: string, held: SpiffeId, came: SpiffeId): void {
    this.#log.error(
      {
        event: "identity-changed",
        token: short(digest),
        held: held.toString(),
        came: came.toString(),
      },
      "the server gave one token two identities: its streams were ended",
    );
  }

  signingPutOff(digest: string, error: unknown, attempt: number): void {
    this.#log.warn(
      { event: "signing-put-off", token: short(digest), attempt, ...problem(error) },
      "no certificate for a workload: trying again",
    );
  }

  batchFailed(error: unknown, entries: number, attempt: number): void {
    const fields = { event: "batch-failed", entries, attempt, ...problem(error) };
    if (problem(error)["reason"] === "batch-not-allowed") {
      this.#log.error(fields, "the server takes no batches from this node agent");
    } else {
      this.#log.warn(fields, "a batch was not answered: trying again");
    }
  }

  /** Security: a workload asked for the secrets of somebody else. */
  foreignSecretAsked(owner: SpiffeId, proxyId: string, name: string): void {
    this.#log.error(
      { event: "foreign-secret-asked", spiffeId: owner.toString(), proxyId, name },
      "a workload asked for another's secrets: its stream was ended",
    );
  }

  meshConnected(server: string): void {
    this.#log.info({ event: "mesh-connected", server }, "mesh stream open");
  }

  meshLost(error: unknown): void {
    this.#log.warn({ event: "mesh-lost", ...problem(error) }, "mesh stream lost: trying again");
  }

  /** First contact: from now on, only this log is accepted. */
  logPinned({ verifierKey, checkpoint }: WitnessState): void {
    this.#log.info(
      { event: "log-pinned", verifierKey, size: checkpoint.size },
      "the server's transparency log is pinned",
    );
  }

  /** Security: both notes together convict the server. */
  logAlarm({ kind, message }: LogAlarm, held: string, shown: string): void {
    this.#log.error(
      { event: kind, detail: message, held, shown },
      "the server's transparency log is not the one that it was: kept the old checkpoint",
    );
  }

  logRestored({ from, to, possibleUntilMs }: RestoredRange, held: number, size: number): void {
    const possibleUntil = new Date(possibleUntilMs).toISOString();
    this.#log.warn(
      { event: "log-restored", from, to, possibleUntil, held, size },
      "the server was restored from a backup: entries of its log are lost",
    );
  }

  leafLogged(spiffeId: string, serial: string, index: number): void {
    this.#log.info(
      { event: "log-leaf-found", spiffeId, serial, index },
      "certificate is in the log",
    );
  }

  leafOlderThanLog(spiffeId: string, serial: string): void {
    this.#log.warn(
      { event: "log-leaf-unknown", spiffeId, serial },
      "a certificate from before this log, or before its restore, is not in it",
    );
  }

  leafUnproven(spiffeId: string, serial: string): void {
    this.#log.warn(
      { event: "log-leaf-unproven", spiffeId, serial },
      "a certificate has expired before the server has shown it in the log",
    );
  }

  checkpointNotWritten(error: unknown): void {
    this.#log.error(
      { event: "checkpoint-not-written", ...problem(error) },
      "checkpoint not written: a restart would know an older one",
    );
  }

  /** Its root is not among those that are held: whoever goes by them refuses it. */
  certificateWithheld(certificate: WorkloadCertificate): void {
    this.#log.error(
      { event: "certificate-withheld", ...shown(certificate) },
      "a certificate is not served any more: its root is not in the trust bundle",
    );
  }

  /** @param isTaken the server has ended the stream after it */
  saidGoodbye(isTaken: boolean): void {
    const fields = { event: "said-goodbye", taken: isTaken };
    if (isTaken) this.#log.info(fields, "keys destroyed, and the server was told");
    else this.#log.warn(fields, "keys destroyed; the server could not be told in time");
  }

  keysNotDestroyed(error: unknown): void {
    this.#log.error(
      { event: "keys-not-destroyed", ...problem(error) },
      "keys could not be destroyed: the server was told nothing",
    );
  }

  policyApplied({ proxyId, spiffeId }: PolicyOwner, digest: string): void {
    const fields = { event: "policy-applied", spiffeId, proxyId, policy: short(digest) };
    this.#log.info(fields, "policy accepted by the proxy");
  }

  policyRefused({ proxyId, spiffeId }: PolicyOwner, nack: PolicyNack): void {
    const { digest, detail, resources } = nack;
    this.#log.error(
      { event: "policy-refused", spiffeId, proxyId, policy: short(digest), detail, resources },
      "policy refused: the last good one stays",
    );
  }

  /** Of a newer server, or damaged. */
  policyUnreadable({ proxyId, spiffeId }: PolicyOwner, digest: string, error: unknown): void {
    const policy = short(digest);
    const fields = { event: "policy-unreadable", spiffeId, proxyId, policy, ...problem(error) };
    this.#log.error(fields, "the server's policy for a proxy cannot be read");
  }

  policyNotKept(error: unknown): void {
    this.#log.error(
      { event: "policy-not-kept", ...problem(error) },
      "policy not written: it is not reported as applied before it is",
    );
  }

  workloadApiFailed(error: unknown): void {
    const fields = { event: "workload-api-failed", ...problem(error) };
    this.#log.warn(fields, "the Workload API could not answer");
  }
}

const factMessages = {
  nacked: "secret refused by the proxy",
  "unknown-name": "a name that does not exist was asked for",
  "unknown-nonce": "an answer to nothing that was sent",
} as const;

function shown(certificate: WorkloadCertificate | undefined): Record<string, string> {
  if (certificate === undefined) return {};
  return {
    spiffeId: certificate.id.toString(),
    serial: certificate.serialHex,
    notAfter: new Date(certificate.notAfterMs).toISOString(),
  };
}

function problem(error: unknown): Record<string, unknown> {
  const { code, message, hint } = (error ?? {}) as Record<string, unknown>;
  return { reason: code, detail: message, hint };
}
