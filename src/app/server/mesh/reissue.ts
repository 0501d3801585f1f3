/**
 * After another authority has begun to sign, agents are asked to renew what others signed: so many a second, and not as a
 * herd. Asked again where nothing comes of it; whoever cannot be asked renews in its own time.
 */

import { ReissuePace } from "../../../core/roll/reissue-pace.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import { activeAuthority, isRotating, type TrustState } from "../../../core/trust/trust-state.ts";
import type { Session } from "./mesh-session.ts";
import {
  leavesToRenew,
  ReissueCandidates,
  type CandidatesDependencies,
  type LeafCandidate,
} from "./reissue-candidates.ts";

export interface ReissueDependencies extends CandidatesDependencies {
  readonly state: () => TrustState;
  readonly renew: (session: Session, serials: readonly Uint8Array[]) => void;
  readonly perSecond: () => number;
  readonly nowMs: () => number;
}

const intervalMs = 200;

export class Reissue implements Disposable {
  readonly #dependencies: ReissueDependencies;
  readonly #pace: ReissuePace;
  readonly #candidates: ReissueCandidates;
  readonly #timer: NodeJS.Timeout;

  constructor(dependencies: ReissueDependencies) {
    this.#dependencies = dependencies;
    this.#pace = new ReissuePace(dependencies.perSecond());
    this.#candidates = new ReissueCandidates(dependencies);
    this.#timer = setInterval(() => this.tick(), intervalMs).unref();
  }

  /** How many workloads of connected agents have a certificate that another authority signed. */
  get progress(): { readonly left: number; readonly perSecond: number } {
    const { sessions, perSecond, nowMs } = this.#dependencies;
    const [root, now] = [this.#root(), nowMs()];
    let left = 0;
    if (root !== undefined) {
      for (const session of sessions()) left += leavesToRenew(session, root, now).length;
    }
    return { left, perSecond: perSecond() };
  }

  /** Asks whose turn it is. */
  tick(): void {
    const { perSecond, renew, nowMs } = this.#dependencies;
    const [root, now] = [this.#root(), nowMs()];
    if (root === undefined) return this.#candidates.clear();
    this.#pace.perSecond = perSecond();
    const isStillDue = ({ session, leaf }: LeafCandidate): boolean =>
      leavesToRenew(session, root, now).includes(leaf);
    const due = this.#pace.next(this.#candidates.next(root, now), now).filter(isStillDue);
    for (const [session, candidates] of Map.groupBy(due, (candidate) => candidate.session)) {
      renew(
        session,
        candidates.map(({ leaf }) => Buffer.from(leaf.serialHex, "hex")),
      );
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Of which all certificates are to be; undefined while nothing rotates. */
  #root(): string | undefined {
    const state = this.#dependencies.state();
    return isRotating(state) ? rootSha256(activeAuthority(state).root) : undefined;
  }
}
