/**
 * Handshakes as the mesh streams meet them: who is asked to make some, what each has told, and what the gate sees of it. Soft, and of a
 * stream: with the next one it is told again.
 */

import type {
  HandshakeProof,
  HandshakeView,
  KnownListeners,
  ProvenProxy,
} from "../../../core/roll/handshake-proof.ts";
import { encodeProveHandshakes, type ToldHandshake } from "../../../edge/rpc/handshake-messages.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { CanaryIssuer } from "./canary-issuer.ts";
import type { NextAuthority, NextAuthorityKeeper } from "./next-authority.ts";

export interface CanaryControlDependencies {
  readonly next: Pick<NextAuthorityKeeper, "find">;
  readonly issuer: Pick<CanaryIssuer, "problemOf">;
  /** The one that speaks for an agent. */
  readonly sessionOf: (reporter: ProvenProxy["reporter"]) => Session | undefined;
  readonly sessions: () => Iterable<Session>;
  /** What is known of a proxy's listeners by what was told on this stream. */
  readonly listenersOf: (session: Session, proxy: ProvenProxy) => KnownListeners;
}

/** A write was seen to cost some 30 us. */
const askedPerTurn = 100;
const nothingAsked = "";
/** As many as the roll and the policy keep of one agent. */
const proofsOfSidecarMax = 256;
const proofsOfNodeMax = 4_096;

/** What an agent was asked for last, and has told of it. */
interface Told {
  readonly authority: string;
  readonly proofs: Map<string, HandshakeProof>;
}

export class CanaryControl {
  readonly #dependencies: CanaryControlDependencies;
  readonly #told = new WeakMap<Session, Told>();
  /** What each was asked last. */
  readonly #asked = new WeakMap<Session, string>();
  #left: Iterator<Session> | undefined;

  constructor(dependencies: CanaryControlDependencies) {
    this.#dependencies = dependencies;
  }

  /** One that has just said Hello. */
  ask(session: Session): void {
    if (session.wantsPolicy !== true) return;
    const next = this.#dependencies.next.find();
    const wanted = next === undefined ? nothingAsked : nameOf(next);
    if ((this.#asked.get(session) ?? nothingAsked) === wanted) return;
    this.#asked.set(session, wanted);
    // It does not tell again what it has told of the same one.
    if (next !== undefined && this.#told.get(session)?.authority !== wanted) {
      this.#told.set(session, { authority: wanted, proofs: new Map() });
    }
    session.call.write(encodeProveHandshakes(next));
  }

  /** Trust has changed. */
  askAll(): void {
    const isRunning = this.#left !== undefined;
    this.#left = this.#dependencies.sessions()[Symbol.iterator]();
    if (!isRunning) this.#askSome();
  }

  /** Whether it may have a certificate to prove it with. */
  isAsked(session: Session, rootSha256: string): boolean {
    const next = this.#dependencies.next.find();
    return next?.rootSha256 === rootSha256 && this.#asked.get(session) === nameOf(next);
  }

  /** Of whom the stream may speak the gate asks: it looks at proxies that are believed only. */
  take(session: Session, { spiffeId, proxyId, proof }: ToldHandshake): void {
    const key = keyOf({ spiffeId: spiffeId ?? session.peer.id.toString(), proxyId });
    const { authority, proofs } = this.#told.get(session) ?? {};
    if (proofs === undefined || authority !== nameOf(proof)) return;
    const max = session.spokenFor === undefined ? proofsOfSidecarMax : proofsOfNodeMax;
    if (proofs.size < max || proofs.has(key)) proofs.set(key, proof);
  }

  /** @param names as `policyKey` makes them: the stream's own identity is not in them */
  gone(session: Session, names: readonly string[]): void {
    const { proofs } = this.#told.get(session) ?? {};
    if (proofs === undefined) return;
    const spiffeId = session.peer.id.toString();
    for (const name of names) {
      proofs.delete(name);
      proofs.delete(keyOf({ spiffeId, proxyId: name }));
    }
  }

  /** Undefined while no authority is prepared. */
  view(): HandshakeView | undefined {
    const { next, issuer, sessionOf, listenersOf } = this.#dependencies;
    const prepared = next.find();
    if (prepared === undefined) return undefined;
    return {
      ...prepared,
      listenersOf: (proxy) => {
        const session = sessionOf(proxy.reporter);
        return session === undefined ? { kind: "unknown" } : listenersOf(session, proxy);
      },
      proofOf: (proxy) => {
        const session = sessionOf(proxy.reporter);
        return session && this.#told.get(session)?.proofs.get(keyOf(proxy));
      },
      unavailable: issuer.problemOf(prepared.rootSha256),
    };
  }

  #askSome(): void {
    for (let looked = 0; looked < askedPerTurn; looked++) {
      const next = this.#left?.next();
      if (next === undefined || next.done === true) {
        this.#left = undefined;
        return;
      }
      this.ask(next.value);
    }
    setImmediate(() => this.#askSome());
  }
}

function nameOf({ rootSha256, rootsSequence }: NextAuthority): string {
  return `${rootSha256} ${rootsSequence}`;
}

/** A SPIFFE ID has no space (SPIFFE-ID 2). */
function keyOf({ spiffeId, proxyId }: Pick<ProvenProxy, "spiffeId" | "proxyId">): string {
  return `${spiffeId} ${proxyId}`;
}
