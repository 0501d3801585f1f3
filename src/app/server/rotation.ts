/**
 * Carries out what `core/trust/rotation-machine` decides: an order stands in the log, then the next trust state is stored
 * with its keys, and then it is in force. Evidence is a snapshot of the moment in which the state is stored.
 */

import { decideRotation } from "../../core/trust/rotation-machine.ts";
import type {
  RotationCommand,
  RotationDecision,
  RotationEvidence,
} from "../../core/trust/rotation.ts";
import { activeAuthority } from "../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../edge/store/store.ts";
import type { Denials } from "./denials.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import type { Commanded, RotationEvents } from "./rotation-events.ts";
import { keyRefusal } from "./rotation-key.ts";
import type { RotationView } from "./rotation-view.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import type { NextTrustState, TrustChanges } from "./trust-changes.ts";
import type { TrustKeeper } from "./trust-keeper.ts";

export interface RotationDependencies {
  readonly store: Store;
  readonly trust: TrustKeeper;
  readonly inTurn: Denials["inTurn"];
  readonly changes: TrustChanges;
  readonly events: RotationEvents;
  readonly view: Pick<RotationView, "verifiers" | "holders">;
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
  async foresee(order: RotationOrder, namedMax?: number): Promise<RotationDecision> {
    const decision = this.decide(order.command, namedMax);
    if (decision.kind === "refused") return decision;
    const refusal = await keyRefusal(this.#dependencies, decision.state, order);
    return refusal === undefined ? decision : { kind: "refused", refusal };
  }

  /** In force when it resolves. @throws LogError, StoreError, TrustPendingError, and what SQLite throws */
  async order(order: RotationOrder): Promise<RotationDecision> {
    const { inTurn, changes, renewOwn } = this.#dependencies;
    await inTurn(() => changes.settle());
    // Outside of the turn: an HSM may take its time, and a denial must not wait for it.
    const foreseen = await this.foresee(order);
    if (foreseen.kind === "refused") return await this.#refuse(order, foreseen);
    const decision = await inTurn(() => this.inTurn(order, activeAuthority(foreseen.state).id));
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
    let decision = this.decide(order.command);
    const isProven = decision.kind === "done" && activeAuthority(decision.state).id === proven;
    // Another command was faster.
    if (!isProven) decision = await this.foresee(order);
    if (decision.kind === "done") {
      await events.ordered(order);
      await changes.change(() => {
        // Whoever came meanwhile may have closed the gate.
        decision = this.decide(order.command);
        return decision.kind === "done" ? nextOf(decision, order) : undefined;
      }, order.plugged);
    }
    return decision.kind === "refused" ? await this.#refuse(order, decision) : decision;
  }

  async #refuse(order: RotationOrder, decision: Refused): Promise<Refused> {
    if (order.isTrial !== true) await this.#dependencies.events.refused(order, decision.refusal);
    return decision;
  }

  #evidence(namedMax?: number): RotationEvidence {
    const { trust, view } = this.#dependencies;
    return {
      verifiers: () => view.verifiers(namedMax),
      holders: (authority) => view.holders(authority, namedMax),
      filedRoots: trust.current.plugged?.authority.roots ?? [],
    };
  }
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

/** IDs of keys. */
export function destroyedBy({ effects }: Pick<Done, "effects">): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === "destroy-key" ? [effect.authorityId] : []));
}
