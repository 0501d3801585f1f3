/**
 * What the gates of a rotation see: the roll, who has certificates by the log, and what nobody can observe. Snapshots, made
 * when they are asked for: whoever comes back on an old bundle is waited for again.
 */

import { validationSecretNames } from "../../core/envoy/secret.ts";
import { findRestored } from "../../core/log/restored.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { holderGate, type OwnCertificate } from "../../core/roll/holder-gate.ts";
import type { Gate } from "../../core/roll/laggard.ts";
import type { LeavingAgent } from "../../core/roll/leaf-owners.ts";
import type { Roll } from "../../core/roll/roll.ts";
import { verifierGate } from "../../core/roll/verifier-gate.ts";
import type { VerifierView } from "../../core/roll/verifier-view.ts";
import { rootsDigest } from "../../core/spiffe/roots-digest.ts";
import { unconfirmedRetired, type AuthorityRecord } from "../../core/trust/trust-state.ts";
import type { CertificateIndex } from "../../edge/log/certificate-index.ts";
import type { StoredEntry } from "../../edge/log/log-reader.ts";
import { clockJumped, otherSigners } from "./gate-limits.ts";
import type { LeafBooks } from "./leaf-books.ts";
import type { Reissue } from "./reissue.ts";
import type { BundleCut, RotationView } from "./rotation-view.ts";
import type { TrustKeeper } from "./trust-keeper.ts";
import { WaivedLeaves } from "./waived-leaves.ts";

export interface RollViewDependencies {
  readonly roll: Roll;
  readonly books: LeafBooks;
  readonly trust: TrustKeeper;
  readonly certificates: CertificateIndex;
  readonly reissue: Pick<Reissue, "progress">;
  /** Whether a connected node agent's stream speaks for this identity now. */
  readonly speaksFor: VerifierView["speaksFor"];
  /** Names, as laggards have them. */
  readonly waived: () => ReadonlySet<string>;
  /** Of readers of the roots whom nobody can observe. */
  readonly classes: () => readonly string[];
  /** The server's, that are in use. */
  readonly own: () => readonly OwnCertificate[];
  /** Of the log's restores. */
  readonly restores: () => readonly StoredEntry[];
  /** Whether it can be said what has expired. */
  readonly isClockGood: () => boolean;
  readonly nowMs: () => number;
}

const namedDefault = 10;
const lookIntervalMs = 60_000;

export class RollView implements RotationView, Disposable {
  readonly #dependencies: RollViewDependencies;
  readonly #waivedLeaves: WaivedLeaves;
  readonly #owned = new DisposableStack();
  #cut: BundleCut | undefined;
  #askedMs = -Infinity;

  constructor(dependencies: RollViewDependencies) {
    this.#dependencies = dependencies;
    this.#waivedLeaves = new WaivedLeaves(dependencies.certificates);
    this.#owned.use(dependencies.trust.onChange(() => this.#openIfNeeded()));
    const timer = setInterval(() => this.#look(), lookIntervalMs).unref();
    this.#owned.defer(() => clearInterval(timer));
    this.#openIfNeeded();
  }

  /** Of each state of trust anew: bundles with the same roots are confirmed by the same evidence. */
  published(cut: BundleCut): void {
    this.#cut = cut;
  }

  verifiers(namedMax: number = namedDefault): Gate {
    const { roll, books, trust, speaksFor, waived, classes } = this.#dependencies;
    const { isClockGood, nowMs } = this.#dependencies;
    if (!isClockGood()) return clockJumped;
    const { bundle } = trust.current;
    const present = rootsDigest(bundle.roots);
    this.#askedMs = nowMs();
    const view = {
      roll,
      owners: books.open().owners,
      rootsDigest: present,
      validationNames: new Set(validationSecretNames(bundle.trustDomain)),
      cutIndex: this.#cut?.rootsDigest === present ? this.#cut.cutIndex : undefined,
      speaksFor,
      classes: classes(),
      waived: waived(),
      lostUntilMs: this.#lostUntilMs(),
    };
    return verifierGate(view, nowMs(), namedMax);
  }

  holders(authority: AuthorityRecord, namedMax: number = namedDefault): Gate {
    const { roll, books, trust, certificates, own, isClockGood, nowMs } = this.#dependencies;
    if (!isClockGood()) return clockJumped;
    const waived = this.#dependencies.waived();
    this.#askedMs = nowMs();
    const view = {
      holders: books.open().holders,
      otherSigners: otherSigners(trust.current.state, authority),
      own: own(),
      leafAt: (intentIndex: number) => certificates.leafAt(intentIndex),
      waived,
      waivedLeaves: this.#waivedLeaves.indexesOf(waived),
      skewMs: roll.maxSkewMs,
      lostUntilMs: this.#lostUntilMs(),
    };
    return holderGate(view, nowMs(), namedMax);
  }

  reissue(): ReturnType<RotationView["reissue"]> {
    return this.#dependencies.reissue.progress;
  }

  skewMs(): number {
    return this.#dependencies.roll.maxSkewMs;
  }

  /** Whether somebody waits for what is seen here. */
  get isDeciding(): boolean {
    const { state } = this.#dependencies.trust.current;
    return state.authorities.length > 1 || unconfirmedRetired(state).length > 0;
  }

  /** It stands in the log that its keys are destroyed. @param index of the event */
  goodbye(agent: LeavingAgent, index: number): void {
    this.#dependencies.roll.goodbye(agent);
    this.#dependencies.books.goodbye(agent, index);
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }

  #openIfNeeded(): void {
    if (this.isDeciding) this.#dependencies.books.open();
  }

  #look(): void {
    const { books, nowMs } = this.#dependencies;
    const isAsked = Math.abs(nowMs() - this.#askedMs) < lookIntervalMs;
    if (this.isDeciding || isAsked) books.prune();
    else books.close();
  }

  #lostUntilMs(): number {
    const ranges = this.#dependencies
      .restores()
      .map(({ data }) => findRestored(decodeEntry(data))?.possibleUntilMs ?? 0);
    return Math.max(0, ...ranges);
  }
}
