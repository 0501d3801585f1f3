/**
 * What one proxy is to do: what it was told, what all of its streams have taken, and what they have refused. What was refused is
 * not given again while the proxy is here; the last good one is, at once. An Envoy that has just started has nothing to go on with: while
 * it was away the others may have gone on without it, so the server is asked first, and the last good one is for when it does not answer.
 */

import type {
  LocalPolicy,
  OldConnections,
  PolicyNack,
} from "../../../core/policy/policy-report.ts";
import { GivenPolicies } from "./given-policies.ts";
import type { ReceivedPolicy } from "./kept-policy.ts";
import { LastGood } from "./last-good.ts";
import type { OpenPolicy, PolicyProxyName, PolicyUser } from "./policy-feed.ts";
import { PolicyUses, type PolicyUse } from "./policy-uses.ts";
import { refusalOf, Refusals } from "./refusals.ts";

export interface FedProxyOptions {
  readonly name: PolicyProxyName;
  /** Of an earlier life of the agent, or of the proxy. */
  readonly good: ReceivedPolicy | undefined;
  /** Everybody has taken it. */
  readonly onGood: (policy: ReceivedPolicy) => void;
  /** A later life is to begin with it. `kept` answers. */
  readonly keep: (policy: ReceivedPolicy) => void;
  /** A later life is to begin with nothing. */
  readonly drop: () => void;
  readonly onRefused: (nack: PolicyNack) => void;
  /** @returns what ends the waiting; undefined where nobody is there to wait for */
  readonly awaitServer: (onSilence: () => void) => (() => void) | undefined;
  /** What there is to report. */
  readonly onChange: () => void;
}

/** What there is to report of it. The same value until it changes. */
export interface PolicyState {
  readonly proxy: LocalPolicy;
  /** Another one when it had gone meanwhile: what was sent to it before is lost. */
  readonly life: symbol;
}

export class FedProxy {
  readonly #options: FedProxyOptions;
  readonly #uses = new PolicyUses();
  readonly #good: LastGood;
  readonly #given = new GivenPolicies();
  #refusals = new Refusals();
  #life = Symbol("life");
  /** What the server wants. */
  #newest: string | undefined;
  #nack: PolicyNack | undefined;
  #state: PolicyState | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(options: FedProxyOptions) {
    const { good: found, keep, drop } = options;
    this.#options = options;
    this.#good = new LastGood({ found, keep, drop });
  }

  get isHere(): boolean {
    return !this.#uses.areNone;
  }

  /** It may do what is not in its state: what is on its way, what is not on the disk yet, or what it has refused before. */
  get isAnswering(): boolean {
    const { policy, kept } = this.#good;
    if (policy?.digest !== kept?.digest) return true;
    const said = new Set([kept?.digest, this.#nack?.digest]);
    return this.#given.hasOthers((digest) => said.has(digest));
  }

  /** What came of something that it was told is not in its state yet. */
  get isUnanswered(): boolean {
    const { policy, kept } = this.#good;
    if (policy?.digest !== kept?.digest) return true;
    // The last good one, given again, is told only when the server wants it.
    const isSettled = (digest: string): boolean =>
      digest === kept?.digest && digest !== this.#newest;
    return this.#given.hasOpen(isSettled);
  }

  get hasRefused(): boolean {
    return !this.#refusals.areNone;
  }

  /** Undefined while it is not here. */
  get state(): PolicyState | undefined {
    if (!this.isHere) return undefined;
    this.#state ??= { proxy: this.#report(), life: this.#life };
    return this.#state;
  }

  open(user: PolicyUser): OpenPolicy {
    const { isFresh = false } = user;
    if (!this.isHere) this.#begin(isFresh);
    else if (!isFresh) this.#waitNoMore();
    const mayHave = this.#good.policy !== undefined || (this.#good.isAside && !isFresh);
    const use = this.#uses.add(user, mayHave);
    this.#changed();
    return {
      given: this.#current,
      acked: (digest) => this.#acked(use, digest),
      nacked: (nack) => {
        if (this.#uses.has(use)) this.#refuse(nack);
      },
      draining: (ports, old) => this.#drain(use, ports, old),
      close: () => this.#close(use),
    };
  }

  /** The server's word. */
  take(policy: ReceivedPolicy): void {
    if (!this.isHere) return;
    this.#newest = policy.digest;
    const refusal = this.#refusals.get(policy.digest);
    if (refusal !== undefined) return this.#tell(refusal);
    if (policy.digest !== this.#current?.digest) return this.#offer(policy);
    this.#settle();
    // The server waits for the answer, also where that is no other than it was.
    if (!this.isUnanswered) this.#changed();
  }

  /** The server's word, which is none. */
  takeUnreadable(digest: string, error: unknown): void {
    if (!this.isHere) return;
    this.#newest = digest;
    const refusal = this.#refusals.get(digest);
    if (refusal === undefined) this.#refuse(refusalOf(digest, error));
    else this.#tell(refusal);
  }

  /** It is on the disk. */
  kept(policy: ReceivedPolicy): void {
    if (this.#good.stored(policy)) this.#changed();
  }

  get #current(): ReceivedPolicy | undefined {
    const good = this.#good.policy;
    const isGiven = good !== undefined && !this.#refusals.has(good.digest);
    return this.#given.newest ?? (isGiven ? good : undefined);
  }

  #begin(isFresh: boolean): void {
    this.#life = Symbol("life");
    if (isFresh && this.#good.policy !== undefined) {
      this.#stopWaiting = this.#options.awaitServer(() => this.#waitNoMore());
      if (this.#stopWaiting !== undefined) this.#good.setAside();
    }
    const current = this.#current;
    if (current !== undefined) this.#given.add(current);
  }

  /** The last good one, after all: the server hears that what it was told counts no more. */
  #waitNoMore(): void {
    if (this.#stopWaiting === undefined) return;
    this.#heard();
    this.#goBack();
    const current = this.#current;
    if (current !== undefined) this.#offer(current);
  }

  #heard(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #goBack(): void {
    if (!this.#good.isAside) return;
    this.#good.restore();
    for (const use of this.#uses.all()) use.isUnsure = true;
    this.#changed();
  }

  #offer(policy: ReceivedPolicy): void {
    this.#heard();
    this.#uses.unack(policy.digest);
    this.#given.add(policy);
    this.#good.begin(policy);
    this.#give(policy);
  }

  #give(policy: ReceivedPolicy): void {
    for (const use of this.#uses.all()) {
      // An answer may have come in between, and a user may have gone.
      if (this.#current !== policy) return;
      if (this.#uses.has(use)) this.#giveOne(use, policy);
    }
  }

  /** Whoever cannot make anything of it must not take the mesh stream down. */
  #giveOne({ user }: PolicyUse, policy: ReceivedPolicy): void {
    try {
      user.onPolicy(policy);
    } catch (error) {
      this.#refuse(refusalOf(policy.digest, error));
    }
  }

  /** Of Envoy, or of the agent itself. */
  #refuse(nack: PolicyNack): void {
    const { digest } = nack;
    if (this.#refusals.has(digest) || !this.isHere) return;
    const wasCurrent = this.#current?.digest === digest;
    const isKnown = this.#given.find(digest) !== undefined || this.#newest === digest;
    if (!isKnown && this.#good.policy?.digest !== digest) return;
    const refusal = this.#refusals.add(nack);
    const hasNothing = this.#stopWaiting !== undefined;
    this.#given.passOver(wasCurrent ? undefined : digest);
    this.#good.refuse(digest);
    // The server waits for the answer to what it has sent, also where the last good one is refused, too.
    this.#tell(this.#refusals.get(this.#newest ?? digest) ?? refusal);
    this.#options.onRefused(refusal);
    if (!wasCurrent && !hasNothing) return;
    this.#goBack();
    const current = this.#current;
    if (current !== undefined) this.#offer(current);
  }

  #acked(use: PolicyUse, digest: string): void {
    if (!this.#uses.has(use)) return;
    use.acked = digest;
    if (use.isUnsure) this.#changed();
    use.isUnsure = false;
    this.#settle();
  }

  /** The newest one that everybody has taken is the good one. */
  #settle(): void {
    const good = this.#given.settle(this.#uses.deciding().map(({ acked }) => acked));
    if (good !== undefined) this.#becomes(good);
    if (this.#nack === undefined || !this.#isAsWanted) return;
    this.#nack = undefined;
    this.#changed();
  }

  #becomes(good: ReceivedPolicy): void {
    if (good.digest !== this.#good.kept?.digest) this.#options.onGood(good);
    const isKept = this.#good.becomes(good);
    // Of what was refused before it nothing is in force any more.
    if (isKept || this.#nack !== undefined || !this.isUnanswered) this.#changed();
  }

  /** The last good one that was given again counts once it is acknowledged again. */
  get #isAsWanted(): boolean {
    const digest = this.#good.policy?.digest;
    const isWanted = digest !== undefined && digest === this.#newest;
    return isWanted && !this.#refusals.has(digest) && !this.#given.hasOthers(() => false);
  }

  #drain(use: PolicyUse, ports: ReadonlyMap<number, number>, old: OldConnections): void {
    if (this.#uses.drain(use, ports, old)) this.#changed();
  }

  #close(use: PolicyUse): void {
    if (!this.#uses.remove(use)) return;
    if (this.isHere) this.#settle();
    else this.#end();
    this.#changed();
  }

  /** Whoever comes back begins with what was good, and the server says anew what it wants. */
  #end(): void {
    this.#heard();
    this.#good.end(this.#given.newest);
    this.#given.passOver();
    this.#newest = undefined;
    // Parts of it may be in force, and nothing else would be given.
    if (this.#good.policy === undefined) return;
    // What it was refused for, a port or a file of the proxy's, may be mended since.
    this.#refusals = new Refusals();
    this.#nack = undefined;
  }

  #tell(refusal: PolicyNack): void {
    this.#nack = refusal;
    this.#changed();
  }

  #changed(): void {
    this.#state = undefined;
    this.#options.onChange();
  }

  #report(): LocalPolicy {
    const { kept } = this.#good;
    const applied = kept && { digest: kept.digest, octets: kept.octets };
    const refused = this.#nack && this.#given.find(this.#nack.digest);
    const isPartial = this.#given.hasOver;
    const nack = this.#nack && { ...this.#nack, isPartial, octets: refused?.octets };
    return { ...this.#options.name, ...this.#uses.report(), applied, nack };
  }
}
