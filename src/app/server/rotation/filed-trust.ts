/**
 * What the operator's files bring to a running server: other intermediates and roots are taken at once, and another root to
 * sign under begins a rotation, which the server goes on with by itself.
 */

import { equalBytes } from "../../../core/bytes.ts";
import { PortcullisError } from "../../../core/error.ts";
import { destroyedBy } from "../../../core/trust/next-trust.ts";
import { judgePluggedAuthority, retiredIn } from "../../../core/trust/plugged-trust.ts";
import type { RotationRefusal, RotationRefusalCode } from "../../../core/trust/rotation.ts";
import { activeAuthority } from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { copyOf, isKept } from "./kept-key.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { RootsFile } from "../roots-file.ts";
import type { Rotation, RotationDependencies, RotationOrder } from "./rotation.ts";

/** Why the files have to wait, or to be changed. */
export class TrustChangeError extends PortcullisError<RotationRefusalCode> {
  override name = "TrustChangeError";
}

export interface FiledTrustDependencies extends Pick<
  RotationDependencies,
  "store" | "trust" | "inTurn" | "changes" | "prove" | "renewOwn"
> {
  readonly rotation: Pick<Rotation, "inTurn">;
  readonly rootsFile: Pick<RootsFile, "write">;
  readonly log: Logger;
}

export class FiledTrust {
  readonly #dependencies: FiledTrustDependencies;
  #read: PluggedIn | undefined;
  #saidStale = "";

  constructor(dependencies: FiledTrustDependencies) {
    this.#dependencies = dependencies;
    this.#read = dependencies.trust.current.plugged;
  }

  /** That they named when they were read last, whether that was taken or not. */
  get roots(): readonly Uint8Array[] {
    return this.#read?.authority.roots ?? [];
  }

  /**
   * @returns whether anything has changed
   * @throws TrustChangeError for what has to wait; what keeps the key from being used; as `TrustChanges.change`
   */
  async take(plugged: PluggedIn): Promise<boolean> {
    const { trust, inTurn, prove, renewOwn } = this.#dependencies;
    const { authority, source } = plugged;
    this.#read = plugged;
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
    const isNews = judgePluggedAuthority(state, plugged.authority).kind !== "unchanged";
    if (isNews) await this.take(plugged);
    else this.#sayStale(plugged);
  }

  async #take(plugged: PluggedIn): Promise<boolean> {
    const { trust, changes } = this.#dependencies;
    const hadToSettle = await changes.settle();
    const before = trust.current;
    this.#sayStale(plugged);
    const judged = judgePluggedAuthority(before.state, plugged.authority);
    if (judged.kind === "refused") throw changeError(judged.refusal);
    if (judged.kind === "chain" || judged.kind === "roots") {
      const { state } = judged;
      await changes.change((commit) => commit({ state, destroyed: destroyedBy(judged) }), plugged);
      return true;
    }
    if (judged.kind === "prepare") {
      await this.#prepare(judged.command, plugged);
      // For the rest of their roots.
      await this.#take(plugged);
      return true;
    }
    const isOther = await this.#refile(plugged);
    return hadToSettle || (isOther && judged.kind === "unchanged");
  }

  /** @returns whether they are others than before */
  async #refile(plugged: PluggedIn): Promise<boolean> {
    const { trust, changes, rootsFile } = this.#dependencies;
    const before = trust.current.plugged;
    const isSame =
      before !== undefined &&
      equalBytes(before.authority.root, plugged.authority.root) &&
      haveSame(before.authority.chain, plugged.authority.chain) &&
      haveSame(before.authority.roots, plugged.authority.roots) &&
      haveSame(before.crls, plugged.crls);
    if (isSame) await rootsFile.write(trust.current.bundle);
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

  /** The key that signs until the gate opens is in no file any more: it goes into the store. @throws AuthorityError */
  #outgoing(): Pick<RotationOrder, "keys" | "kept"> {
    const { trust, store } = this.#dependencies;
    const { state, authorityParts } = trust.current;
    const active = activeAuthority(state);
    const { id, key } = active;
    const { source } = authorityParts;
    if (key === "store" || source.kind !== "software") return {};
    return { kept: id, keys: isKept(store, active) ? [] : [copyOf(id, source.key)] };
  }

  /** Once for each set of roots that were retired: they are passed over. */
  #sayStale({ authority }: PluggedIn): void {
    const { trust, log } = this.#dependencies;
    const ids = retiredIn(trust.current.state, authority).map(({ id }) => id);
    const retired = ids.join(" ");
    if (retired !== "" && retired !== this.#saidStale) {
      const hint =
        "put the files of the authority that signs into --ca-dir, without older roots in root-cert.pem; " +
        "to trust one of them again: portcullis root prepare --from-dir DIR";
      const said = "--ca-dir has a root that was retired: it is not trusted again";
      log.warn({ event: "ca-stale", retired, hint }, said);
    }
    this.#saidStale = retired;
  }
}

function changeError({ code, message, hint }: RotationRefusal): TrustChangeError {
  return new TrustChangeError(code, message, { hint });
}

function haveSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((each, index) => equalBytes(each, b[index] ?? none));
}

const none = new Uint8Array();
