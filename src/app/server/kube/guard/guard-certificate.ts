/**
 * The webhook's own certificate, and the roots by which the API server believes it. The roots that are told are those of the trust bundle,
 * no other; a certificate of another root is served once that root has been told for a while, since an API server takes new roots a moment
 * after it has stored them.
 */

import { rootSha256 } from "../../../../core/spiffe/roots-digest.ts";
import type { GuardEvents } from "../../../../edge/telemetry/guard-events.ts";
import { OneAtATime } from "../../one-at-a-time.ts";
import type { IssueServing, ServingCertificate } from "../../serving-certificate.ts";
import type { Trust } from "../../trust.ts";
import { ToldRoots, type KeepRoots } from "./told-roots.ts";

/** As `TrustKeeper` is. */
export interface GuardTrust {
  readonly current: Pick<Trust, "bundle" | "authority">;
  onChange(listener: () => void): Disposable;
}

export interface GuardCertificateOptions {
  /** Of the configuration, for people. */
  readonly webhook: string;
  readonly keepRoots: KeepRoots;
  readonly names: () => readonly string[];
  readonly trust: GuardTrust;
  readonly issue: IssueServing;
  readonly events: () => GuardEvents;
  readonly nowMs: () => number;
  readonly timings?: GuardTimings | undefined;
}

export interface GuardTimings {
  /** How long an API server may take to believe what it has stored. */
  readonly settleMs: number;
  /** How often what it has stored is looked at. */
  readonly lookMs: number;
}

const timingsDefault: GuardTimings = { settleMs: 5_000, lookMs: 5_000 };

export class GuardCertificate implements Disposable {
  readonly #options: GuardCertificateOptions;
  readonly #turns = new OneAtATime();
  readonly #owned = new DisposableStack();
  readonly #told: ToldRoots;
  #isCurrent: boolean | undefined = false;
  #certificate: ServingCertificate;
  #authority: unknown;
  #names: string;
  #listener: (certificate: ServingCertificate) => void = () => {};
  #problem = "";
  #isClosed = false;

  private constructor(options: GuardCertificateOptions, certificate: ServingCertificate) {
    this.#options = options;
    this.#told = new ToldRoots(options.keepRoots);
    this.#certificate = certificate;
    this.#authority = options.trust.current.authority;
    this.#names = options.names().join();
  }

  /** @throws what keeps it from being signed */
  static async open(options: GuardCertificateOptions): Promise<GuardCertificate> {
    return new GuardCertificate(options, await options.issue(options.names()));
  }

  get current(): ServingCertificate {
    return this.#certificate;
  }

  /** Whether the API server is told what it is to be told; undefined while there is no configuration. */
  get isCaCurrent(): boolean | undefined {
    return this.#isCurrent;
  }

  /** From now on it is kept fresh. @param renew is told of each new one */
  follow(renew: (certificate: ServingCertificate) => void): void {
    const { trust, timings: { lookMs } = timingsDefault } = this.#options;
    this.#listener = renew;
    const timer = setInterval(() => void this.look(), lookMs).unref();
    this.#owned.defer(() => clearInterval(timer));
    this.#owned.use(trust.onChange(() => void this.look()));
    void this.look();
  }

  /** Never rejects: what cannot be renewed stays, and is tried again. */
  look(): Promise<void> {
    return this.#turns.run(async () => {
      const { events } = this.#options;
      try {
        if (!this.#isClosed) await this.#tellRoots();
        if (!this.#isClosed) await this.#renewIfDue();
        this.#problem = "";
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        if (!this.#isClosed && problem !== this.#problem) events().notFresh(error);
        this.#problem = problem;
      }
    });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#owned.dispose();
  }

  async #tellRoots(): Promise<void> {
    const { trust, events, webhook } = this.#options;
    const { roots } = trust.current.bundle;
    try {
      const state = await this.#told.tell(roots);
      const isMissing = state === "missing";
      if (isMissing && this.#isCurrent !== undefined) events().notRegistered(webhook);
      this.#isCurrent = isMissing ? undefined : true;
      if (state === "written") events().rootsWritten(webhook, roots.length);
    } catch (error) {
      this.#isCurrent = false;
      // A certificate of the same root needs nothing of the API server.
      await this.#renewIfDue();
      throw error;
    }
  }

  async #renewIfDue(): Promise<void> {
    const { trust, names, issue, nowMs, events } = this.#options;
    const { authority } = trust.current;
    const now = names();
    const isGood =
      nowMs() < this.#certificate.renewAtMs &&
      this.#authority === authority &&
      this.#names === now.join();
    if (isGood || !this.#isBelieved(authority.rootSha256)) return;
    const certificate = await issue(now);
    // The trust may have changed while it was signed.
    if (this.#isClosed || !this.#isBelieved(certificate.root)) return;
    this.#certificate = certificate;
    this.#authority = authority;
    this.#names = now.join();
    this.#listener(certificate);
    events().renewed(certificate.notAfterMs);
  }

  /** One that hangs on a root of which the API server has not been told yet is worse than an old one, unless that one is believed no more. */
  #isBelieved(root: string): boolean {
    const { trust, timings: { settleMs } = timingsDefault } = this.#options;
    const served = this.#certificate.root;
    const isTrusted = trust.current.bundle.roots.some((der) => rootSha256(der) === served);
    return root === served || !isTrusted || this.#told.hasTold(root, settleMs);
  }
}
