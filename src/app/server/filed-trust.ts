/**
 * What the operator's files bring to a running server: other intermediates and roots are taken at once, and another root to
 * sign under begins a rotation, which the server goes on with by itself.
 */

import { equalBytes } from "../../core/bytes.ts";
import { PortcullisError } from "../../core/error.ts";
import { judgePluggedAuthority } from "../../core/trust/plugged-trust.ts";
import type { RotationRefusal, RotationRefusalCode } from "../../core/trust/rotation.ts";
import { activeAuthority } from "../../core/trust/trust-state.ts";
import type { NewSigningKey } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { publishRoots } from "./open-trust.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import type { Rotation, RotationDependencies, RotationOrder } from "./rotation.ts";
import { destroyedBy } from "./rotation.ts";

/** Why the files have to wait, or to be changed. */
export class TrustChangeError extends PortcullisError<RotationRefusalCode> {
  override name = "TrustChangeError";
}

export interface FiledTrustDependencies extends Pick<
  RotationDependencies,
  "store" | "trust" | "inTurn" | "changes" | "prove" | "renewOwn" | "config"
> {
  readonly rotation: Pick<Rotation, "inTurn">;
  readonly log: Logger;
}

export class FiledTrust {
  readonly #dependencies: FiledTrustDependencies;

  constructor(dependencies: FiledTrustDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @returns whether anything has changed
   * @throws TrustChangeError for what has to wait; what keeps the key from being used; as `TrustChanges.change`
   */
  async take(plugged: PluggedIn): Promise<boolean> {
    const { trust, inTurn, prove, renewOwn } = this.#dependencies;
    const { authority, source } = plugged;
    const isStale = judgePluggedAuthority(trust.current.state, authority).kind === "stale";
    // Outside of the turn: an HSM may take its time.
    if (!isStale) await prove({ source, chain: authority.chain, root: authority.root });
    const hasChanged = await inTurn(() => this.#take(plugged));
    if (hasChanged) await renewOwn();
    return hasChanged;
  }

  /** At the start, when all but another root to sign under is taken already. @throws as `take` */
  async begin(plugged: PluggedIn): Promise<void> {
    const { state } = this.#dependencies.trust.current;
    if (judgePluggedAuthority(state, plugged.authority).kind !== "unchanged") {
      await this.take(plugged);
    }
  }

  async #take(plugged: PluggedIn): Promise<boolean> {
    const { trust, changes } = this.#dependencies;
    const hadToSettle = await changes.settle();
    const before = trust.current;
    const judged = judgePluggedAuthority(before.state, plugged.authority);
    if (judged.kind === "refused") throw changeError(judged.refusal);
    if (judged.kind === "chain" || judged.kind === "roots") {
      return await changes.change(() => ({ ...judged, destroyed: destroyedBy(judged) }), plugged);
    }
    if (judged.kind === "prepare") {
      await this.#prepare(judged.command, plugged);
      // For the rest of their roots.
      await this.#take(plugged);
      return true;
    }
    if (judged.kind === "stale") this.#sayStale(judged.retired.id);
    const isOther = await this.#refile(plugged);
    return hadToSettle || (isOther && judged.kind === "unchanged");
  }

  /** @returns whether they are others than before */
  async #refile(plugged: PluggedIn): Promise<boolean> {
    const { trust, changes, config } = this.#dependencies;
    const before = trust.current.plugged;
    const isSame =
      before !== undefined &&
      equalBytes(before.authority.root, plugged.authority.root) &&
      haveSame(before.authority.chain, plugged.authority.chain) &&
      haveSame(before.authority.roots, plugged.authority.roots) &&
      haveSame(before.crls, plugged.crls);
    if (isSame) await publishRoots(config(), trust.current.bundle);
    else await changes.refile(plugged);
    return !isSame;
  }

  async #prepare(command: RotationOrder["command"], plugged: PluggedIn): Promise<void> {
    const detail = `${plugged.authority.id} of --ca-dir`;
    const subject = "root prepare";
    const order = { command, operator: "", subject, detail, plugged, isTrial: true } as const;
    const decision = await this.#dependencies.rotation.inTurn({ ...order, ...this.#outgoing() });
    if (decision.kind === "refused") throw changeError(decision.refusal);
  }

  /** The key that signs until the gate opens is in no file any more: it goes into the store. */
  #outgoing(): Pick<RotationOrder, "keys" | "kept"> {
    const { trust, store } = this.#dependencies;
    const { state, authorityParts } = trust.current;
    const { id, key } = activeAuthority(state);
    const { source } = authorityParts;
    if (key === "store" || source.kind !== "software") return {};
    const privateKeyPkcs8 = source.key.export({ format: "der", type: "pkcs8" });
    const copy: NewSigningKey = { id, privateKeyPkcs8 };
    return { kept: id, keys: store.findKey(id) === undefined ? [copy] : [] };
  }

  #sayStale(retired: string): void {
    const fields = { event: "ca-stale", retired };
    const hint = "put the files of the authority that signs into --ca-dir, or start without it";
    this.#dependencies.log.warn({ ...fields, hint }, "--ca-dir has a CA that was retired");
  }
}

function changeError({ code, message, hint }: RotationRefusal): TrustChangeError {
  return new TrustChangeError(code, message, { hint });
}

function haveSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((each, index) => equalBytes(each, b[index] ?? none));
}

const none = new Uint8Array();
