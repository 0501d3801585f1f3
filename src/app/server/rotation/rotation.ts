/**
 * Carries out what `core/trust/rotation-machine` decides: an order stands in the log, then the next trust state is stored
 * with its keys, and then it is in force. Evidence is a snapshot of the moment in which the state is stored.
 */

import { authorityEndsAtMs } from "../../../core/trust/authority-end.ts";
import { destroyedBy } from "../../../core/trust/next-trust.ts";
import { decideRotation } from "../../../core/trust/rotation-machine.ts";
import { trustChanged } from "../../../core/trust/rotation-refusals.ts";
import type {
  RotationCommand,
  RotationDecision,
  RotationEvidence,
} from "../../../core/trust/rotation.ts";
import { activeAuthority } from "../../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";
import type { Denials } from "../denials.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { Commanded, RotationEvents } from "./rotation-events.ts";
import { keyRefusal } from "./rotation-key.ts";
import type { RotationView } from "./rotation-view.ts";
import type { AuthorityParts } from "../signing/signing-protocol.ts";
import type { NextTrustState, TrustChanges } from "./trust-changes.ts";
import type { TrustKeeper } from "../trust-keeper.ts";

export interface RotationDependencies {
  readonly store: Store;
  readonly trust: TrustKeeper;
  readonly inTurn: Denials["inTurn"];
  readonly changes: TrustChanges;
  readonly events: RotationEvents;
  readonly view: Pick<RotationView, "verifiers" | "holders" | "skewMs">;
  /** What the operator's files named when they were read last. */
  readonly filedRoots: () => readonly Uint8Array[];
  readonly prove: (parts: AuthorityParts) => Promise<void>;
  /** The server's own certificates, which are to follow each change. Never rejects. */
  readonly renewOwn: () => Promise<void>;
  readonly config: () => ServerConfig;
  readonly nowMs: () => number;
}

export interface RotationOrder extends Commanded {
  readonly command: RotationCommand;
  /** Of the new authority, and copies of those that would be lost. */
  readonly keys?: readonly NewSigningKey[];
  /** The authority whose key is in `keys`, and was in the operator's files. */
  readonly kept?: string;
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

  constructor(dependencies: RotationDependencies) {
    this.#dependencies = dependencies;
  }

  /** What would come of a command now. @param namedMax how many laggards a refusal names */
  decide(command: RotationCommand, namedMax?: number): RotationDecision {
    const { trust, nowMs } = this.#dependencies;
    return decideRotation(trust.current.state, command, this.#evidence(namedMax), nowMs());
  }

  /** As `decide`, and whether the key is there. */
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
    let index: number | undefined;
    const decision = await changes.change(async (commit) => {
      const first = this.#decideProven(order, proven);
      if (first.kind === "refused") return first;
      index = await events.ordered(order);
      // Evidence may have come while the log was written: this one goes to the store in the same moment.
      const last = this.#decideProven(order, proven);
      if (last.kind === "done") commit(nextOf(last, order));
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

  /** @param index of the order, if that is in the log already */
  async #refuse(order: RotationOrder, decision: Refused, index?: number): Promise<Refused> {
    const isSaid = order.isTrial !== true || index !== undefined;
    if (isSaid) await this.#dependencies.events.refused(order, decision.refusal, index);
    return decision;
  }

  #evidence(namedMax?: number): RotationEvidence {
    const { view, filedRoots, config } = this.#dependencies;
    const { defaultTtlSeconds, maxTtlSeconds } = config();
    const skewMs = view.skewMs();
    return {
      verifiers: () => view.verifiers(namedMax),
      holders: (authority) => view.holders(authority, namedMax),
      filedRoots: filedRoots(),
      endsAtMs: authorityEndsAtMs,
      lifeMs: {
        usual: defaultTtlSeconds * 1_000 + skewMs,
        longest: maxTtlSeconds * 1_000 + skewMs,
      },
    };
  }
}

/** A compromise that brings a replacement needs no other key. */
function withoutKey(command: RotationCommand, keylessId: string): RotationCommand | undefined {
  if (command.kind !== "compromise" || command.keylessId !== undefined) return undefined;
  const { replacement } = command;
  if (replacement === undefined || replacement.id === keylessId) return undefined;
  return { ...command, keylessId };
}

function nextOf(done: Done, { keys = [], kept }: RotationOrder): NextTrustState {
  const { state } = done;
  const authorities = state.authorities.map((each) =>
    each.id === kept ? Object.freeze({ ...each, key: "store" as const }) : each,
  );
  const next = Object.freeze({ ...state, authorities });
  // A replacement that was not needed has none.
  const needed = keys.filter((key) => authorities.some(({ id }) => id === key.id));
  return { state: next, keys: needed, destroyed: destroyedBy(done) };
}
