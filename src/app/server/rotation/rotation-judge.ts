/**
 * What would come of a rotation's command now, for whoever shows it and for whoever carries it out: the machine's word, on
 * evidence of this moment, and whether the key is there. What no gate can mend comes first.
 */

import { authorityEndsAtMs } from "../../../core/trust/authority-end.ts";
import { certificateKeyId } from "../../../core/trust/authority-keys.ts";
import { hindranceOf } from "../../../core/trust/rotation-hindrance.ts";
import { decideRotation } from "../../../core/trust/rotation-machine.ts";
import type {
  RotationCommand,
  RotationDecision,
  RotationEvidence,
  RotationRefusal,
} from "../../../core/trust/rotation.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { Store } from "../../../edge/store/store.ts";
import { absentKeyRefusal, type KeyPlaces } from "./rotation-key.ts";
import type { RotationView } from "./rotation-view.ts";
import type { TrustKeeper } from "../trust-keeper.ts";

export interface RotationJudgeDependencies {
  readonly store: Pick<Store, "hasKey" | "signingKey">;
  readonly trust: TrustKeeper;
  readonly view: Pick<RotationView, "verifiers" | "holders" | "skewMs">;
  readonly filed: KeyPlaces["filed"];
  readonly config: () => ServerConfig;
  readonly nowMs: () => number;
}

export class RotationJudge {
  readonly #dependencies: RotationJudgeDependencies;

  constructor(dependencies: RotationJudgeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param namedMax how many laggards a refusal names */
  decide(command: RotationCommand, namedMax?: number): RotationDecision {
    const refusal = this.hindrance(command);
    if (refusal !== undefined) return { kind: "refused", refusal };
    const { trust, nowMs } = this.#dependencies;
    return decideRotation(trust.current.state, command, this.#evidence(namedMax), nowMs());
  }

  /** What refuses a command whatever its gate says. */
  hindrance(command: RotationCommand): RotationRefusal | undefined {
    const { store, trust, filed, config, nowMs } = this.#dependencies;
    const { state } = trust.current;
    const places = { store, trust: () => trust.current, filed, config };
    return hindranceOf(state, command, this.#evidence(), nowMs(), (next) =>
      absentKeyRefusal(places, state, next, command),
    );
  }

  #evidence(namedMax?: number): RotationEvidence {
    const { view, filed, config } = this.#dependencies;
    const { defaultTtlSeconds, maxTtlSeconds } = config();
    const skewMs = view.skewMs();
    return {
      verifiers: (step) => view.verifiers(namedMax, step),
      holders: (authority) => view.holders(authority, namedMax),
      filedRoots: filed()?.roots ?? [],
      endsAtMs: authorityEndsAtMs,
      keyIdOf: certificateKeyId,
      lifeMs: {
        usual: defaultTtlSeconds * 1_000 + skewMs,
        longest: maxTtlSeconds * 1_000 + skewMs,
      },
    };
  }
}
