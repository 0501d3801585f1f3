/**
 * Carries out what `core/trust/rotation-machine` decides: an order stands in the log, then the next trust state is stored
 * with its keys, and then it is in force. Evidence is a snapshot of the moment in which the state is stored.
 */

import { destroyedBy } from "../../../core/trust/next-trust.ts";
import { trustChanged } from "../../../core/trust/rotation-refusals.ts";
import type {
  RotationCommand,
  RotationDecision,
  RotationRefusal,
} from "../../../core/trust/rotation.ts";
import { activeAuthority } from "../../../core/trust/trust-state.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";
import type { Denials } from "../denials.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { Commanded, RotationEvents } from "./rotation-events.ts";
import { RotationJudge, type RotationJudgeDependencies } from "./rotation-judge.ts";
import { keepKeys } from "./kept-keys.ts";
import { keyRefusal } from "./rotation-key.ts";
import type { AuthorityParts } from "../signing/signing-protocol.ts";
import type { NextTrustState, TrustChanges } from "./trust-changes.ts";

export interface RotationDependencies extends RotationJudgeDependencies {
  readonly store: Store;
  readonly inTurn: Denials["inTurn"];
  readonly changes: TrustChanges;
  readonly events: RotationEvents;
  readonly prove: (parts: AuthorityParts) => Promise<void>;
  /** The server's own certificates, which are to follow each change. Never rejects. */
  readonly renewOwn: () => Promise<void>;
}

export interface RotationOrder extends Commanded {
  readonly command: RotationCommand;
  /** Of the new authority. */
  readonly keys?: readonly NewSigningKey[];
  /** The operator's files, if they bring it. */
  readonly plugged?: PluggedIn;
  /** The server's own attempt: a refusal is nothing to be recorded. */
  readonly isTrial?: boolean;
}

type Refused = Extract<RotationDecision, { kind: "refused" }>;
type Done = Extract<RotationDecision, { kind: "done" }>;

/** What would be done, and by which order: one may go on without a key that is missing. */
interface Foreseen extends Done {
  readonly order: RotationOrder;
}

export class Rotation {
  readonly #dependencies: RotationDependencies;
  readonly #judge: RotationJudge;

  constructor(dependencies: RotationDependencies) {
    this.#dependencies = dependencies;
    this.#judge = new RotationJudge(dependencies);
  }

  /** @param namedMax how many laggards a refusal names */
  decide(command: RotationCommand, namedMax?: number): RotationDecision {
    return this.#judge.decide(command, namedMax);
  }

  /** What refuses a command whatever its gate says. */
  hindrance(command: RotationCommand): RotationRefusal | undefined {
    return this.#judge.hindrance(command);
  }

  /** As `decide`, and whether the key can be used. */
  async foresee(order: RotationOrder): Promise<Foreseen | Refused> {
    const decision = this.decide(order.command);
    if (decision.kind === "refused") return decision;
    const refusal = await keyRefusal(this.#dependencies, decision.state, order);
    if (refusal === undefined) return { ...decision, order };
    const command = withoutKey(order.command, activeAuthority(decision.state).id);
    if (command !== undefined) return await this.foresee({ ...order, command });
    return { kind: "refused", refusal };
  }

  /** In force when it resolves. @throws LogError, StoreError, TrustPendingError, and what SQLite throws */
  async order(order: RotationOrder): Promise<RotationDecision> {
    const { inTurn, changes, renewOwn } = this.#dependencies;
    await inTurn(() => changes.settle());
    // Outside of the turn: an HSM may take its time, and a denial must not wait for it.
    const foreseen = await this.foresee(order);
    if (foreseen.kind === "refused") return await this.#refuse(order, foreseen);
    const proven = activeAuthority(foreseen.state).id;
    const decision = await inTurn(() => this.inTurn(foreseen.order, proven));
    if (decision.kind === "done") await renewOwn();
    return decision;
  }

  /**
   * For who is in the turn of trust changes already, and renews the server's own certificates.
   * @param proven the authority whose key can be used, if it is not the one that signs now
   */
  async inTurn(order: RotationOrder, proven?: string): Promise<RotationDecision> {
    const { changes, events } = this.#dependencies;
    await changes.settle();
    const first = this.#decideProven(order, proven);
    if (first.kind === "refused") return await this.#refuse(order, first);
    // What is signed does not wait for the log.
    const index = await events.ordered(order);
    const decision = await changes.change((commit) => {
      // Evidence may have come meanwhile: this one goes to the store in the same moment.
      const last = this.#decideProven(order, proven);
      if (last.kind === "done") commit(this.#nextOf(last, order));
      return last;
    }, order.plugged);
    return decision.kind === "refused" ? await this.#refuse(order, decision, index) : decision;
  }

  /** Nothing signs whose key was not proved. */
  #decideProven({ command }: RotationOrder, proven?: string): RotationDecision {
    const decision = this.decide(command);
    if (decision.kind === "refused") return decision;
    const { id: present } = activeAuthority(this.#dependencies.trust.current.state);
    const next = activeAuthority(decision.state);
    if (next.id === present || next.id === proven) return decision;
    return { kind: "refused", refusal: trustChanged(proven ?? present, next) };
  }

  #nextOf(done: Done, { keys = [] }: RotationOrder): NextTrustState {
    const { store, trust, filed } = this.#dependencies;
    const kept = keepKeys(store, done.state, filed()?.id, trust.current);
    // A replacement that was not needed has none.
    const needed = keys.filter((key) => done.state.authorities.some(({ id }) => id === key.id));
    return { ...kept, keys: [...needed, ...kept.keys], destroyed: destroyedBy(done) };
  }

  /** @param index of the order, if that is in the log already */
  async #refuse(order: RotationOrder, decision: Refused, index?: number): Promise<Refused> {
    const isSaid = order.isTrial !== true || index !== undefined;
    if (isSaid) await this.#dependencies.events.refused(order, decision.refusal, index);
    return decision;
  }
}

/** A compromise that brings a replacement needs no other key. */
function withoutKey(command: RotationCommand, keylessId: string): RotationCommand | undefined {
  if (command.kind !== "compromise" || command.keylessId !== undefined) return undefined;
  const { replacement } = command;
  if (replacement === undefined || replacement.id === keylessId) return undefined;
  return { ...command, keylessId };
}
