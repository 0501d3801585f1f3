/**
 * The certificates that are to be renewed, as the last whole look at all streams has found them. In each turn it looks at some:
 * a look at ten thousand streams takes as long as ten certificates, and whoever comes meanwhile would wait for it.
 */

import type { ReissueCandidate } from "../../../core/roll/reissue-pace.ts";
import type { CertificateIndex } from "../../../edge/log/certificate-index.ts";
import type { KnownLeaf, LeafOwnership } from "./held-leaves.ts";
import type { Session } from "./mesh-session.ts";

export interface CandidatesDependencies {
  readonly certificates: Pick<CertificateIndex, "bySerial">;
  readonly sessions: () => Iterable<Session>;
}

/** In each turn; a look at a stream or at a certificate is one. So many were seen to take 0.1 ms. */
const looksMax = 4_000;
/** One in the log was seen to take some 20 us. */
const lookUpLooks = 20;
/** Of one agent in each round: whoever makes up certificates keeps nobody from being looked at. */
const lookUpsOfOneMax = 50;

/** A leaf that is to be renewed, and who has it. */
export class LeafCandidate implements ReissueCandidate {
  readonly session: Session;
  readonly leaf: KnownLeaf;
  /** That is to be above the next one. */
  readonly #root: string;

  constructor(session: Session, leaf: KnownLeaf, root: string) {
    this.session = session;
    this.leaf = leaf;
    this.#root = root;
  }

  get notAfterMs(): number {
    return this.leaf.notAfterMs;
  }

  /** One workload at one agent. Of few it is asked, and of all it would be a text each. */
  get key(): string {
    const { reporter } = this.session;
    return `${reporter?.spiffeId} ${reporter?.agentId} ${this.leaf.ownership.owner}`;
  }

  get question(): string {
    return `${this.leaf.serialHex} ${this.#root}`;
  }
}

export class ReissueCandidates {
  readonly #dependencies: CandidatesDependencies;
  /** Where the look that is under way has got to. */
  #left: Iterator<Session> | undefined;
  #found: LeafCandidate[] = [];
  #known: readonly LeafCandidate[] = [];
  /** That they are to be renewed under. */
  #root = "";

  constructor(dependencies: CandidatesDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Looks at some more streams.
   * @returns what the last whole look has found, or this one until now if that was nothing: it may be out of date
   */
  next(root: string, nowMs: number): readonly LeafCandidate[] {
    if (root !== this.#root) this.clear();
    this.#root = root;
    const sessions = (this.#left ??= this.#dependencies.sessions()[Symbol.iterator]());
    for (let left = looksMax; left > 0;) {
      const next = sessions.next();
      if (next.done === true) {
        this.#known = this.#found;
        this.#found = [];
        this.#left = undefined;
        break;
      }
      const session = next.value;
      left -= 1 + session.held.size + lookUpLooks * this.#lookUp(session, left);
      for (const leaf of leavesToRenew(session, root, nowMs)) {
        this.#found.push(new LeafCandidate(session, leaf, root));
      }
    }
    return this.#known.length > 0 ? this.#known : this.#found;
  }

  /** Nothing is to be renewed any more, or by another authority: streams that have ended are not to be kept for this. */
  clear(): void {
    this.#left = undefined;
    this.#found = [];
    this.#known = [];
  }

  /** @returns how many of its certificates it has looked for in the log */
  #lookUp({ held, spokenFor }: Session, left: number): number {
    const find = (serialHex: string) => this.#find(serialHex, spokenFor !== undefined);
    return held.lookUp(find, Math.min(Math.ceil(left / lookUpLooks), lookUpsOfOneMax));
  }

  #find(serialHex: string, ofNode: boolean): LeafOwnership | undefined {
    const record = this.#dependencies.certificates.bySerial(Buffer.from(serialHex, "hex"));
    if (record === undefined) return undefined;
    const { identity, evidence, root } = record.intent;
    // Of one service account there may be many pods on a node.
    const owner = ofNode ? `${identity} ${evidence.podUid || evidence.tokenId}` : identity;
    return { identity, owner, root };
  }
}

/** What a stream's agent is to renew now. */
export function leavesToRenew(
  { reporter, spokenFor, held }: Session,
  root: string,
  nowMs: number,
): readonly KnownLeaf[] {
  const speaksFor = (identity: string): boolean =>
    identity === reporter?.spiffeId || spokenFor?.has(identity, nowMs) === true;
  return held.toRenew(root, speaksFor, nowMs);
}
