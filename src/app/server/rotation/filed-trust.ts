/**
 * What the operator's files bring to a running server: other intermediates and roots are taken at once, and another root to
 * sign under begins a rotation, which the server goes on with by itself.
 */

import { equalBytes, equalLists } from "../../../core/bytes.ts";
import { PortcullisError } from "../../../core/error.ts";
import { destroyedBy, nextTrust } from "../../../core/trust/next-trust.ts";
import { judgePluggedAuthority, type PluggedAuthority } from "../../../core/trust/plugged-trust.ts";
import type { RotationRefusal, RotationRefusalCode } from "../../../core/trust/rotation.ts";
import type { TrustState } from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { keepKeys } from "./kept-keys.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { RootsFile } from "../roots-file.ts";
import { StaleFiles } from "./stale-files.ts";
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

/** Whether their key can be used. */
type Proved = PromiseSettledResult<void>;

export class FiledTrust {
  readonly #dependencies: FiledTrustDependencies;
  #read: PluggedIn | undefined;
  readonly #stale: StaleFiles;

  constructor(dependencies: FiledTrustDependencies) {
    this.#dependencies = dependencies;
    this.#read = dependencies.trust.current.plugged;
    this.#stale = new StaleFiles(dependencies.log);
  }

  /** As they were read last, whether that was taken or not. */
  get authority(): PluggedAuthority | undefined {
    return this.#read?.authority;
  }

  /**
   * @returns whether anything has changed
   * @throws TrustChangeError for what has to wait; what keeps the key from being used; as `TrustChanges.change`
   */
  async take(plugged: PluggedIn): Promise<boolean> {
    const { chain, root } = plugged.authority;
    this.#read = plugged;
    // Outside of the turn: an HSM may take its time.
    const proof = this.#dependencies.prove({ source: plugged.source, chain, root });
    const [proved] = await Promise.allSettled([proof]);
    return await this.#takeInTurn(plugged, proved);
  }

  /** At the start, when all but another root to sign under is taken already, and the key is proved. @throws as `take` */
  async begin(plugged: PluggedIn): Promise<void> {
    await this.#takeInTurn(plugged);
  }

  async #takeInTurn(plugged: PluggedIn, proved?: Proved): Promise<boolean> {
    const { inTurn, renewOwn } = this.#dependencies;
    const hasChanged = await inTurn(() => this.#take(plugged, proved));
    if (hasChanged) await renewOwn();
    return hasChanged;
  }

  async #take(plugged: PluggedIn, proved?: Proved): Promise<boolean> {
    const { trust, changes } = this.#dependencies;
    const hadToSettle = await changes.settle();
    this.#stale.say(trust.current.state, plugged.authority);
    const judged = judgePluggedAuthority(trust.current.state, plugged.authority);
    const isStale = judged.kind === "stale";
    if (!isStale && proved?.status === "rejected") return await this.#refuse(proved.reason);
    if (judged.kind === "refused") return await this.#refuse(changeError(judged.refusal));
    if (judged.kind === "chain" || judged.kind === "roots") {
      const next = { ...this.#kept(judged.state), destroyed: destroyedBy(judged) };
      await changes.change((commit) => commit(next), plugged);
      return true;
    }
    if (judged.kind === "prepare") {
      await this.#prepare(judged.command, plugged);
      // For the rest of their roots.
      await this.#take(plugged);
      return true;
    }
    const isOther = await this.#refile(plugged);
    return hadToSettle || (isOther && !isStale);
  }

  /** What they were before stays in force, and must not be in memory only. */
  async #refuse(error: unknown): Promise<never> {
    await this.#keep();
    throw error;
  }

  /** @returns whether they are others than before */
  async #refile(plugged: PluggedIn): Promise<boolean> {
    const { trust, changes, rootsFile } = this.#dependencies;
    const before = trust.current.plugged;
    const isSame =
      before !== undefined &&
      equalBytes(before.authority.root, plugged.authority.root) &&
      equalLists(before.authority.chain, plugged.authority.chain) &&
      equalLists(before.authority.roots, plugged.authority.roots) &&
      equalLists(before.crls, plugged.crls);
    if (isSame) await rootsFile.write(trust.current.bundle);
    else if (!(await this.#keep(plugged))) await changes.refile(plugged);
    return !isSame;
  }

  async #prepare(command: RotationOrder["command"], plugged: PluggedIn): Promise<void> {
    const detail = `${plugged.authority.id} of --ca-dir`;
    const subject = "root prepare";
    const order = { command, operator: "", subject, detail, plugged, isTrial: true } as const;
    const decision = await this.#dependencies.rotation.inTurn(order);
    if (decision.kind === "refused") await this.#refuse(changeError(decision.refusal));
  }

  /** @returns whether there was a key to be kept */
  async #keep(plugged?: PluggedIn): Promise<boolean> {
    const { trust, changes } = this.#dependencies;
    const { state } = trust.current;
    const { state: kept, keys } = this.#kept(state);
    if (kept === state) return false;
    const { authorities } = kept;
    const next = { keys, state: nextTrust(state, { authorities }).state };
    await changes.change((commit) => commit(next), plugged);
    return true;
  }

  #kept(state: TrustState): ReturnType<typeof keepKeys> {
    const { store, trust } = this.#dependencies;
    return keepKeys(store, state, this.authority?.id, trust.current);
  }
}

function changeError({ code, message, hint }: RotationRefusal): TrustChangeError {
  return new TrustChangeError(code, message, { hint });
}
