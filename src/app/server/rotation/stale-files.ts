/** Roots that the operator's files name still, and that were retired: passed over, and said once for each set of them. */

import { retiredIn, type PluggedAuthority } from "../../../core/trust/plugged-trust.ts";
import type { TrustState } from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";

export class StaleFiles {
  readonly #log: Logger;
  #said = "";

  constructor(log: Logger) {
    this.#log = log;
  }

  say(state: TrustState, authority: PluggedAuthority): void {
    const ids = retiredIn(state, authority).map(({ id }) => id);
    const retired = ids.join(" ");
    if (retired !== "" && retired !== this.#said) {
      const hint =
        "put the files of the authority that signs into --ca-dir, without older roots in root-cert.pem; " +
        "to trust one of them again: portcullis root prepare --from-dir DIR";
      const said = "--ca-dir has a root that was retired: it is not trusted again";
      this.#log.warn({ event: "ca-stale", retired, hint }, said);
    }
    this.#said = retired;
  }
}
