/**
 * The one copy of what an agent holds. Certificate and bundle come from two streams and are one set: changes wait for each
 * other, go to disk first, and whoever serves the set is told of each.
 */

import { hasBytes } from "../../core/bytes.ts";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { rootSha256, rootsDigest } from "../../core/spiffe/roots-digest.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { decideReplyBundle, decideStreamBundle } from "../../core/trust/held-bundle.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { isUnder } from "./secrets.ts";
import { decideAnchor, type ServerAnchor, type ServerFile } from "./server-trust.ts";
import { removeWorkloadSet, writeWorkloadSet, type WorkloadSet } from "./workload-set.ts";

export interface HeldSetOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  /** What is held now. */
  readonly onChange: (set: WorkloadSet) => void;
}

export interface Received {
  readonly certificate: WorkloadCertificate;
  readonly receivedAtMs: number;
  /** Of the reply, without a sequence. */
  readonly bundle: TrustBundle;
  /** By which root the server was verified, and what the operator's file had; absent where that is not known. */
  readonly verified?: {
    readonly root: Uint8Array;
    readonly file: ServerFile;
    /** The roots that were held then. */
    readonly trusted: readonly Uint8Array[];
  };
}

const withdrawnMax = 64;

export class HeldSet {
  readonly #options: HeldSetOptions;
  #set: WorkloadSet | undefined;
  /** What a restart would begin with. */
  #onDisk: WorkloadSet | undefined;
  /** Roots that the mesh stream has taken away in this life; the newest. */
  #withdrawn: ReadonlySet<string> = new Set();
  #isDestroyed = false;
  /** The end of the queue of changes. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: HeldSetOptions, stored: WorkloadSet | undefined) {
    this.#options = options;
    this.#set = stored;
    this.#onDisk = stored;
  }

  get set(): WorkloadSet | undefined {
    return this.#set;
  }

  /** Of the bundle that also a restarted agent would hold: no other may be confirmed. */
  get rootsDigest(): string | undefined {
    return this.#onDisk && rootsDigest(this.#onDisk.bundle.roots);
  }

  /** Of that bundle. */
  get bundleSequence(): bigint {
    return this.#onDisk?.bundle.sequence ?? 0n;
  }

  async takeCertificate(received: Received): Promise<void> {
    const { certificate, receivedAtMs, verified } = received;
    const top = parseCertificate(certificate.chain.at(-1) ?? new Uint8Array());
    const isLeafRoot = (root: Uint8Array): boolean =>
      isUnder({ top }, { roots: [parseCertificate(root)] });
    await this.#change((held) => {
      const { trustDomain, sequence, roots, jwtKeys } = received.bundle;
      const leafRoots = roots.filter(isLeafRoot);
      const kept = roots.filter((root) => leafRoots.includes(root) || !this.#isWithdrawn(root));
      const came = trustBundle(trustDomain, sequence, kept, jwtKeys);
      const isExpired = held !== undefined && held.certificate.notAfterMs <= receivedAtMs;
      const { bundle } = decideReplyBundle(held?.bundle, came, leafRoots, isExpired);
      const anchor =
        verified === undefined
          ? held?.anchor
          : decideAnchor(
              held?.anchor,
              verified.root,
              bundle.roots,
              verified.file,
              verified.trusted,
            );
      return { certificate, receivedAtMs, bundle, ...(anchor && { anchor }) };
    });
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
      if (decision.kind !== "replace") return undefined;
      this.#noteWithdrawn(held.bundle, decision.bundle);
      return { ...held, bundle: decision.bundle };
    });
  }

  /**
   * What came with a workload's certificate: it may be of a root that the mesh stream has not brought yet. One that the stream
   * has taken away does not come back by a reply that was on its way meanwhile.
   */
  async mergeBundle(came: TrustBundle): Promise<void> {
    await this.#change((held) => {
      const roots = came.roots.filter((root) => !this.#isWithdrawn(root));
      if (held === undefined || roots.length === 0) return undefined;
      const news = trustBundle(came.trustDomain, came.sequence, roots);
      const decision = decideReplyBundle(held.bundle, news, []);
      return decision.kind === "replace" ? { ...held, bundle: decision.bundle } : undefined;
    });
  }

  /** @param decide undefined changes nothing */
  async takeAnchor(decide: (held: WorkloadSet) => ServerAnchor | undefined): Promise<void> {
    await this.#change((held) => {
      const anchor = held && decide(held);
      return held && anchor && { ...held, anchor };
    });
  }

  /** Writes again what a disk that was full did not take. */
  async retryWrite(): Promise<void> {
    if (this.#set !== this.#onDisk) await this.#change((held) => held);
  }

  /** Resolves when nothing is left to write. */
  async settled(): Promise<void> {
    await this.#changes;
  }

  /** The key is gone from the disk when this resolves, and nothing is kept any more. @throws what the file system says */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await this.#changes;
    await removeWorkloadSet(this.#options.stateDir);
  }

  #isWithdrawn(root: Uint8Array): boolean {
    return this.#withdrawn.has(rootSha256(root));
  }

  #noteWithdrawn(before: TrustBundle, after: TrustBundle): void {
    const gone = before.roots.filter((root) => !hasBytes(after.roots, root)).map(rootSha256);
    const kept = new Set(after.roots.map(rootSha256));
    const all = [...this.#withdrawn, ...gone].filter((each) => !kept.has(each));
    this.#withdrawn = new Set(all.slice(-withdrawnMax));
  }

  /**
   * On disk first, so that a restarted agent has the key that Envoy holds. A disk that is full or gone is reported, and
   * takes no certificate away: it would cost the workload its identity, and the CA a signature for each attempt.
   */
  async #change(next: (held: WorkloadSet | undefined) => WorkloadSet | undefined): Promise<void> {
    const change = this.#changes.then(async () => {
      const set = this.#isDestroyed ? undefined : next(this.#set);
      if (set === undefined) return;
      const { stateDir, events, onChange } = this.#options;
      try {
        await writeWorkloadSet(stateDir, set);
        this.#onDisk = set;
      } catch (error) {
        events.stateNotWritten(error);
      }
      this.#set = set;
      onChange(set);
    });
    this.#changes = change.catch(() => {});
    await change;
  }
}
