/**
 * How another trust state comes into force: stored under its epoch, in the cluster's Secret where there is one, said in the log, and only
 * then signed under, while nothing is on its way that was made under the one before. What ends in the middle is taken up again where it
 * was left.
 */

import { rootsDigest } from "../../../core/spiffe/roots-digest.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { TrustState } from "../../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import { openTrust } from "../open-trust.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { RootsFile } from "../roots-file.ts";
import type { BundleCut, RotationView } from "./rotation-view.ts";
import type { SigningPool } from "../signing/signing-pool.ts";
import type { SigningTurns } from "../signing/signing-turns.ts";
import type { TrustKeeper } from "../trust-keeper.ts";

/** Where else each state is stored before it is in force. Meanwhile certificates are signed as before. */
export interface TrustPublication {
  /** @throws while nothing may be changed */
  assertMayChange(): void;
  /** @throws where that has to wait, or must not be */
  publish(): Promise<void>;
}

export interface TrustChangesDependencies {
  readonly store: Store;
  readonly trust: TrustKeeper;
  readonly keeper: Pick<LogKeeper, "trustIs">;
  readonly turns: SigningTurns;
  readonly signing: Pick<SigningPool, "renew">;
  readonly view: Pick<RotationView, "published">;
  readonly rootsFile: Pick<RootsFile, "write">;
  readonly trustSecret?: TrustPublication | undefined;
  readonly config: () => ServerConfig;
  readonly logSize: () => number;
  readonly nowMs: () => number;
}

export interface NextTrustState {
  readonly state: TrustState;
  readonly keys?: readonly NewSigningKey[];
  /** IDs of keys. */
  readonly destroyed?: readonly string[];
}

/** Durable already, and not in force yet. */
export class TrustPendingError extends PortcullisError<"trust-pending"> {
  override name = "TrustPendingError";

  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super("trust-pending", `it is stored, and comes into force as soon as it can: ${why}`, {
      cause,
      hint: "no need to do it again: portcullis root status",
    });
  }
}

export class TrustChanges {
  readonly #dependencies: TrustChangesDependencies;
  /** Something is stored that is not in force yet: with which of the operator's files. */
  #pending: { readonly plugged: PluggedIn | undefined } | undefined;

  constructor(dependencies: TrustChangesDependencies) {
    this.#dependencies = dependencies;
  }

  /** At the start, before anything is signed: what was published is known, or is published now. */
  begin(): void {
    this.#publish();
  }

  /** Only in a turn of trust changes. @returns whether an earlier change had left something to do. @throws TrustPendingError */
  async settle(): Promise<boolean> {
    if (this.#pending === undefined) return false;
    await this.#publishState();
    await this.#dependencies.turns.alone(() => this.#complete());
    return true;
  }

  /**
   * Only in a turn of trust changes.
   * @param work while nothing is on its way. What it commits is stored when `commit` returns, and in force when this resolves.
   * @param plugged the operator's files, where they were read anew
   * @throws TrustPendingError; what SQLite and `work` throw: nothing is changed
   */
  async change<Result>(
    work: (commit: (next: NextTrustState) => void) => Result | Promise<Result>,
    plugged?: PluggedIn,
  ): Promise<Result> {
    await this.settle();
    const { store, turns, nowMs, trustSecret } = this.#dependencies;
    const isHereOnly = trustSecret === undefined;
    const result = await turns.alone(async () => {
      const result = await work((next) => {
        trustSecret?.assertMayChange();
        store.replaceTrustState({ keys: [], ...next, nowMs: nowMs() });
        this.#pending = { plugged };
      });
      if (this.#pending !== undefined && isHereOnly) await this.#complete();
      return result;
    });
    await this.settle();
    return result;
  }

  /** Only in a turn of trust changes: the operator's files are others, and the state is not. @throws as `change` */
  async refile(plugged: PluggedIn): Promise<void> {
    const { turns } = this.#dependencies;
    await turns.alone(() => this.#takeOver(plugged));
  }

  /** An API server may take its time: nobody waits for it but who changes trust. */
  async #publishState(): Promise<void> {
    try {
      await this.#dependencies.trustSecret?.publish();
    } catch (error) {
      throw new TrustPendingError(error);
    }
  }

  async #complete(): Promise<void> {
    try {
      await this.#takeOver(this.#pending?.plugged);
    } catch (error) {
      throw new TrustPendingError(error);
    }
  }

  async #takeOver(plugged: PluggedIn | undefined): Promise<void> {
    const { store, trust, keeper, signing, rootsFile, config } = this.#dependencies;
    const { current } = trust;
    const state = store.loadTrustState() ?? current.state;
    const files = plugged ?? current.plugged;
    const next = openTrust(store, config(), state, files, current.authorityParts);
    await keeper.trustIs(state);
    trust.replace(next);
    signing.renew();
    this.#publish();
    this.#pending = undefined;
    await rootsFile.write(next.bundle);
  }

  /** Whatever is signed from now on comes with these roots. */
  #publish(): void {
    const { store, trust, view, logSize } = this.#dependencies;
    const digest = rootsDigest(trust.current.bundle.roots);
    const known = parseCut(store.facts.recall("bundle-published"));
    const cut =
      known?.rootsDigest === digest ? known : { rootsDigest: digest, cutIndex: logSize() };
    if (cut !== known)
      store.facts.remember("bundle-published", `${cut.rootsDigest} ${cut.cutIndex}`);
    view.published(cut);
  }
}

function parseCut(text: string | undefined): BundleCut | undefined {
  const [, digest, index] = /^([0-9a-f]{64}) (\d{1,15})$/.exec(text ?? "") ?? [];
  return digest === undefined ? undefined : { rootsDigest: digest, cutIndex: Number(index) };
}
