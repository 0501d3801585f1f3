/** Whether this server may sign and may change trust: the Lease is not another's, and the Secret was seen lately to have what is here. */

import type { Problem } from "../../../../core/problem.ts";
import { CaCallError } from "../../../../edge/rpc/ca-status.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields, type FailureFields } from "../../failure-fields.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { TrustSecretError, type SecretPlace } from "./trust-secret-error.ts";

export interface TrustGateOptions {
  readonly place: SecretPlace;
  readonly lease: Pick<LeaseKeeper, "isHeld" | "otherHolder">;
  readonly log: Logger;
  /** Counts suspension. */
  readonly monotonicMs: () => number;
  /** Unseen for so long, the Secret may have become anything. */
  readonly silenceMaxMs: number;
}

export class TrustGate {
  readonly #options: TrustGateOptions;
  /** When the request was sent that was answered last; monotonic. */
  #seenMs = -Infinity;
  /** Why it was not seen since. */
  #unseen: FailureFields | undefined;
  /** What is there follows from what is not here. */
  #trouble: TrustSecretError | undefined;

  constructor(options: TrustGateOptions) {
    this.#options = options;
  }

  /** The Secret was read. @param sentMs when that was asked for; monotonic */
  seen(sentMs: number): void {
    this.#seenMs = sentMs;
    this.#unseen = undefined;
  }

  /** It could not be read. */
  failed(error: unknown): void {
    this.#unseen = failureFields(error);
  }

  /** @returns what it was given, to be thrown */
  shut(error: TrustSecretError): TrustSecretError {
    const isNews = this.#trouble === undefined;
    this.#trouble = error;
    const fields = { event: "trust-secret-alarm", ...failureFields(error) };
    if (isNews) this.#options.log.error(fields, "nothing is signed, and no trust is changed");
    return error;
  }

  open(): void {
    this.#trouble = undefined;
  }

  /** Before anything is stored that the Secret is to have. @throws TrustSecretError */
  assertMayChange(): void {
    const { hold } = this;
    if (hold !== undefined) throw hold;
  }

  /** Why no trust is changed now; undefined where it may be. */
  get hold(): TrustSecretError | undefined {
    const overtaken = this.#overtaken();
    if (overtaken !== undefined) return overtaken;
    if (!this.#options.lease.isHeld) {
      return new TrustSecretError("trust-lease-lost", "the Lease of the trust is not held now", {
        hint: "is the API server there? it is renewed by itself: try again",
      });
    }
    const silence = this.#silence();
    if (silence === undefined) return undefined;
    return new TrustSecretError("trust-secret-silent", silence.detail, { hint: silence.hint });
  }

  /** For what is urgent, and right whatever the API server says. @throws TrustSecretError */
  assertNotOvertaken(): void {
    const overtaken = this.#overtaken();
    if (overtaken !== undefined) throw overtaken;
  }

  #overtaken(): TrustSecretError | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    const { otherHolder } = this.#options.lease;
    if (otherHolder === "") return undefined;
    return new TrustSecretError("trust-lease-taken", `${otherHolder} has the Lease of the trust`, {
      hint: "give the order to that server",
    });
  }

  /** @throws CaCallError while it is not known whether what would be signed under is current */
  assertMaySign(): void {
    if (this.problem === undefined) return;
    throw new CaCallError("signer-unavailable", "the trust state may not be current: try again");
  }

  /** Why nothing is signed; undefined while all is well. */
  get problem(): Problem | undefined {
    const { otherHolder } = this.#options.lease;
    if (this.#trouble !== undefined) {
      const { message: detail, hint = "" } = this.#trouble;
      return { detail, hint };
    }
    if (otherHolder === "") return this.#silence();
    return {
      detail: `${otherHolder} has the Lease of the trust`,
      hint: "there is one server of a mesh: stop this one, or that one",
    };
  }

  #silence(): Problem | undefined {
    const { monotonicMs, place, silenceMaxMs } = this.#options;
    const silentMs = monotonicMs() - this.#seenMs;
    if (silentMs < silenceMaxMs) return undefined;
    const {
      detail: why,
      hint: todo = "is the API server there? the Secret is looked for by itself",
    } = this.#unseen ?? {};
    const seconds = Math.floor(silentMs / 1_000);
    // Its words are for operators: the detail alone is told to whoever asks for /readyz.
    return {
      detail: `Secret ${place.namespace}/${place.name} was not seen for ${seconds} s`,
      hint: why === undefined ? todo : `${todo} (${why})`,
    };
  }
}
