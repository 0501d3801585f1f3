/**
 * After another authority has begun to sign, agents are asked to renew what others signed: so many a second, and not as a
 * herd. Asked again where nothing comes of it; whoever cannot be asked renews in its own time.
 */

import { ReissuePace } from "../../../core/roll/reissue-pace.ts";
import { activeAuthority, isRotating, type TrustState } from "../../../core/trust/trust-state.ts";
import type { CertificateIndex } from "../../../edge/log/certificate-index.ts";
import type { LeafOwnership, LeafToRenew } from "./held-leaves.ts";
import type { Session } from "./mesh-session.ts";

export interface ReissueDependencies {
  readonly state: () => TrustState;
  readonly certificates: Pick<CertificateIndex, "bySerial">;
  readonly sessions: () => Iterable<Session>;
  readonly renew: (session: Session, serials: readonly Uint8Array[]) => void;
  readonly perSecond: () => number;
  readonly nowMs: () => number;
}

/** A leaf that is to be renewed, and who has it. */
interface Candidate extends LeafToRenew {
  readonly session: Session;
  /** One workload at one agent. */
  readonly key: string;
}

const intervalMs = 200;
/** In each interval; one was seen to take some 20 us. */
const lookUpsMax = 200;
/** Of one agent in each round: whoever makes up certificates keeps nobody from being looked at. */
const lookUpsOfOneMax = 50;

export class Reissue implements Disposable {
  readonly #dependencies: ReissueDependencies;
  readonly #pace: ReissuePace;
  readonly #timer: NodeJS.Timeout;
  /** Where the round of looking up has got to. */
  #looking: Iterator<Session> | undefined;

  constructor(dependencies: ReissueDependencies) {
    this.#dependencies = dependencies;
    this.#pace = new ReissuePace(dependencies.perSecond());
    this.#timer = setInterval(() => this.tick(), intervalMs).unref();
  }

  /** How many workloads of connected agents have a certificate that another authority signed. */
  get progress(): { readonly left: number; readonly perSecond: number } {
    const { state, perSecond } = this.#dependencies;
    return { left: isRotating(state()) ? this.#candidates().length : 0, perSecond: perSecond() };
  }

  /** Asks whose turn it is. */
  tick(): void {
    const { state, perSecond, renew, nowMs } = this.#dependencies;
    if (!isRotating(state())) return;
    this.#lookUp();
    this.#pace.perSecond = perSecond();
    const due = this.#pace.next(this.#candidates(), nowMs());
    for (const [session, leaves] of Map.groupBy(due, (candidate) => candidate.session)) {
      renew(
        session,
        leaves.map(({ serialHex }) => Buffer.from(serialHex, "hex")),
      );
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #candidates(): Candidate[] {
    const { state, sessions, nowMs } = this.#dependencies;
    const signers = new Set(activeAuthority(state()).signerIds);
    const now = nowMs();
    const candidates: Candidate[] = [];
    for (const session of sessions()) {
      const { reporter, spokenFor, held } = session;
      const speaksFor = (identity: string): boolean =>
        identity === reporter?.spiffeId || spokenFor?.has(identity, now) === true;
      for (const leaf of held.toRenew(signers, speaksFor, now)) {
        const key = `${reporter?.spiffeId} ${reporter?.agentId} ${leaf.owner}`;
        candidates.push({ ...leaf, session, key });
      }
    }
    return candidates;
  }

  #lookUp(): void {
    const sessions = (this.#looking ??= this.#dependencies.sessions()[Symbol.iterator]());
    for (let left = lookUpsMax; left > 0;) {
      const next = sessions.next();
      if (next.done === true) {
        this.#looking = undefined;
        return;
      }
      const { held, spokenFor } = next.value;
      const find = (serialHex: string) => this.#find(serialHex, spokenFor !== undefined);
      left -= held.lookUp(find, Math.min(left, lookUpsOfOneMax));
    }
  }

  #find(serialHex: string, ofNode: boolean): LeafOwnership | undefined {
    const record = this.#dependencies.certificates.bySerial(Buffer.from(serialHex, "hex"));
    if (record === undefined) return undefined;
    const { identity, evidence, authority: signer } = record.intent;
    // Of one service account there may be many pods on a node.
    const owner = ofNode ? `${identity} ${evidence.podUid || evidence.tokenId}` : identity;
    return { identity, owner, signer };
  }
}
