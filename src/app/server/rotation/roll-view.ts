/**
 * What the gates of a rotation see: the roll, who has certificates by the log, and what nobody can observe. Snapshots, made
 * when they are asked for: whoever comes back on an old bundle is waited for again.
 */

import { validationSecretNames } from "../../../core/envoy/secret.ts";
import { holderGate, type OwnCertificate } from "../../../core/roll/holder-gate.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { HandshakeView } from "../../../core/roll/handshake-proof.ts";
import type { Gate } from "../../../core/roll/laggard.ts";
import type { LeafOwner, LeavingAgent } from "../../../core/roll/leaf-owners.ts";
import type { Roll } from "../../../core/roll/roll.ts";
import type { RootMaps } from "../../../core/roll/root-maps.ts";
import { verifierGate } from "../../../core/roll/verifier-gate.ts";
import type { VerifierView } from "../../../core/roll/verifier-view.ts";
import { rootSha256, rootsDigest } from "../../../core/spiffe/roots-digest.ts";
import { isRotating, type AuthorityRecord } from "../../../core/trust/trust-state.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import type { CertificateIndex } from "../../../edge/log/certificate-index.ts";
import type { StoredEntry } from "../../../edge/log/log-reader.ts";
import { clockJumped, provenGate } from "./gate-limits.ts";
import type { LeafBooks } from "./leaf-books.ts";
import type { ProvenClock } from "../log/proven-clock.ts";
import type { Reissue } from "../mesh/reissue.ts";
import type { BundleCut, RotationView, VerifierStep } from "./rotation-view.ts";
import type { TrustKeeper } from "../trust-keeper.ts";
import { lostUntilMs } from "../restore-records.ts";
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
  /** The server's ConfigMaps with the roots, by those of now; undefined where it writes none. */
  readonly rootMaps: () => RootMaps | undefined;
  /** Of the log's restores. */
  readonly restores: () => readonly StoredEntry[];
  /** Whether it can be said what has expired. */
  readonly isClockGood: () => boolean;
  /** What has expired by this has expired, whatever the wall clock says. */
  readonly proven: Pick<ProvenClock, "nowMs" | "aheadMs">;
  readonly nowMs: () => number;
}

const namedDefault = 10;
const lookIntervalMs = 60_000;

export class RollView implements RotationView, Disposable {
  readonly #dependencies: RollViewDependencies;
  readonly #waivedLeaves: WaivedLeaves;
  readonly #owned = new DisposableStack();
  #cut: BundleCut | undefined;
  #sentMs: number | undefined;
  #askedMs = -Infinity;
  #isWatched: () => boolean = () => false;
  #handshakes: () => HandshakeView | undefined = () => undefined;

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
    if (this.#cut?.rootsDigest !== cut.rootsDigest) this.#sentMs = this.#dependencies.nowMs();
    this.#cut = cut;
  }

  verifiers(namedMax: number = namedDefault, step: VerifierStep = "activate"): Gate {
    const { roll, books, trust, speaksFor, waived, classes } = this.#dependencies;
    const { bundle, state } = trust.current;
    const present = rootsDigest(bundle.roots);
    const handshakes = step === "activate" ? this.#handshakes() : undefined;
    const rootMaps = this.#dependencies.rootMaps();
    const view = {
      roll,
      owners: books.open().owners,
      rootsDigest: present,
      rootsSequence: state.rootsSequence,
      validationNames: new Set(validationSecretNames(bundle.trustDomain)),
      cutIndex: this.#cut?.rootsDigest === present ? this.#cut.cutIndex : undefined,
      ...(this.#sentMs !== undefined && { sentMs: this.#sentMs }),
      speaksFor,
      classes: classes(),
      waived: waived(),
      lostUntilMs: this.#lostUntilMs(),
      ...(handshakes && { handshakes }),
      ...(rootMaps && { rootMaps }),
    };
    return this.#gate((nowMs) => verifierGate(view, nowMs, namedMax), namedMax);
  }

  holders({ root, adopted }: AuthorityRecord, namedMax: number = namedDefault): Gate {
    const { roll, books, certificates, own } = this.#dependencies;
    const waived = this.#dependencies.waived();
    const view = {
      holders: books.open().holders,
      root: rootSha256(root),
      own: own(),
      leafAt: (intentIndex: number) => certificates.leafAt(intentIndex),
      waived,
      waivedLeaves: this.#waivedLeaves.indexesOf(waived),
      skewMs: roll.maxSkewMs,
      // By whatever clock it was made: one of another server may be ahead.
      lostUntilMs: this.#lostUntilMs(parseCertificate(root).notBeforeMs - roll.maxSkewMs),
      isAdopted: adopted === true,
    };
    return this.#gate((nowMs) => holderGate(view, nowMs, namedMax), namedMax);
  }

  reissue(): ReturnType<RotationView["reissue"]> {
    return this.#dependencies.reissue.progress;
  }

  skewMs(): number {
    return this.#dependencies.roll.maxSkewMs;
  }

  /** Whether somebody waits for what is seen here. */
  get isDeciding(): boolean {
    return isRotating(this.#dependencies.trust.current.state);
  }

  /** Who has an unexpired certificate. Where it is not complete yet, it is being read. */
  owners(): {
    readonly isBuilt: boolean;
    readonly missedUntilMs: number;
    readonly all: () => Iterable<LeafOwner>;
  } {
    const { owners } = this.#dependencies.books.open();
    return {
      isBuilt: owners.isBuilt,
      missedUntilMs: owners.missedUntilMs,
      all: () => Array.from(owners.entries(), ([, owner]) => owner),
    };
  }

  /** Whether somebody else goes by the owners, too. */
  watchOwners(isWatched: () => boolean): void {
    this.#isWatched = isWatched;
  }

  /** Who asks proxies for handshakes, once there are streams. */
  proveBy(handshakes: () => HandshakeView | undefined): void {
    this.#handshakes = handshakes;
  }

  /** It stands in the log that keys are destroyed. */
  goodbye(reporter: Reporter, agents: readonly LeavingAgent[]): void {
    this.#dependencies.roll.goodbye(reporter);
    for (const agent of agents) this.#dependencies.books.goodbye(agent);
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }

  #gate(gateAt: (nowMs: number) => Gate, namedMax: number): Gate {
    const { isClockGood, proven, nowMs } = this.#dependencies;
    const wallMs = nowMs();
    this.#askedMs = wallMs;
    if (!isClockGood()) return clockJumped;
    const { aheadMs } = proven;
    return provenGate(gateAt, { wallMs, provenMs: proven.nowMs(), aheadMs }, namedMax);
  }

  #openIfNeeded(): void {
    if (this.isDeciding) this.#dependencies.books.open();
  }

  #look(): void {
    const { books, nowMs } = this.#dependencies;
    const isAsked = Math.abs(nowMs() - this.#askedMs) < lookIntervalMs;
    if (this.isDeciding || isAsked || this.#isWatched()) books.prune();
    else books.close();
  }

  /** @param madeMs of the root that it would hang on */
  #lostUntilMs(madeMs: number = 0): number {
    return lostUntilMs(this.#dependencies.restores(), madeMs);
  }
}
