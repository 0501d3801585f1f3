/**
 * Nothing is signed before its intent is durable in the log, and nothing that was signed leaves before its result is. A
 * failure on the way is a refusal: what was signed and could not be recorded is not given out.
 */

import type {
  Artifact,
  Entry,
  IntentEntry,
  LoggedEvidence,
  Outcome,
} from "../../../core/log/entry.ts";
import type { UnsignedOutcome } from "../../../core/issuance/sign-prepared.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { LogTime } from "./log-time.ts";

/** What is about to be signed, and for whom. */
export interface Intent {
  readonly artifact: Artifact;
  readonly requestId: string;
  readonly identity: string;
  /** The signing key's ID, in hex. */
  readonly authority: string;
  /** SHA-256 of the root that it will hang on, in hex; "" for a JWT. */
  readonly root: string;
  readonly evidence: LoggedEvidence;
  /** The id of the agent that asked, as it said; "" for none. */
  readonly agent: string;
  readonly prepared: Pick<
    IntentEntry,
    "serial" | "notBeforeMs" | "notAfterMs" | "keyDigest" | "tbsDigest"
  >;
}

export type Signed<Artefact> =
  | { readonly kind: "issued"; readonly certificate: Artefact }
  | { readonly kind: "refused"; readonly error: unknown; readonly outcome: UnsignedOutcome };

export interface LedgerDependencies {
  readonly writer: {
    append(entries: readonly Entry[]): Promise<{ readonly firstIndex: number }>;
  };
  readonly time: Pick<LogTime, "assertGood" | "nowMs">;
  /** Whoever must know what may be in use now. */
  readonly watch?: LedgerWatch;
}

/** Asked at each result; undefined while nobody needs to know. */
export interface LedgerWatch {
  /** Its result is durable, or will never be: then it counts as perhaps signed. Must not throw. */
  settled: ((intent: Intent, intentIndex: number, outcome: Outcome) => void) | undefined;
}

export class Ledger {
  readonly #dependencies: LedgerDependencies;

  constructor(dependencies: LedgerDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @param sign gives an outcome for each intent, in their order; it is called when all intents are durable
   * @throws LogClockError; LogError `log-unwritable`, `log-full`; what `sign` throws
   */
  async record<Artefact extends { readonly digest: Uint8Array }>(
    intents: readonly Intent[],
    sign: () => readonly Signed<Artefact>[] | Promise<readonly Signed<Artefact>[]>,
  ): Promise<readonly Signed<Artefact>[]> {
    if (intents.length === 0) return [];
    const { writer, time } = this.#dependencies;
    const timeMs = time.assertGood();
    const { firstIndex } = await writer.append(
      intents.map(({ prepared, ...intent }) => ({
        kind: "intent",
        timeMs,
        ...intent,
        ...pick(prepared),
      })),
    );
    let outcomes: readonly Signed<Artefact>[];
    try {
      outcomes = await sign();
      if (outcomes.length !== intents.length) throw new TypeError("expected an outcome for each");
    } catch (error) {
      outcomes = intents.map(() => ({ kind: "refused", error, outcome: "unknown" }));
    }
    const verdicts = outcomes.map(verdictOf);
    try {
      await writer.append(
        verdicts.map((verdict, index) => ({
          kind: "result",
          timeMs: time.nowMs(),
          intentIndex: firstIndex + index,
          serial: serialOf(intents[index]),
          ...verdict,
        })),
      );
    } catch (error) {
      this.#tell(intents, firstIndex, () => "unknown");
      throw error;
    }
    this.#tell(intents, firstIndex, (index) => verdicts[index]?.outcome ?? "unknown");
    return outcomes;
  }

  #tell(
    intents: readonly Intent[],
    firstIndex: number,
    outcomeOf: (index: number) => Outcome,
  ): void {
    const settled = this.#dependencies.watch?.settled;
    if (settled === undefined) return;
    for (const [index, intent] of intents.entries()) {
      settled(intent, firstIndex + index, outcomeOf(index));
    }
  }
}

function pick({ serial, notBeforeMs, notAfterMs, keyDigest, tbsDigest }: Intent["prepared"]) {
  return { serial, notBeforeMs, notAfterMs, keyDigest, tbsDigest };
}

function serialOf(intent: Intent | undefined): Uint8Array {
  if (intent === undefined) throw new TypeError("expected an intent for each outcome");
  return intent.prepared.serial;
}

const none = new Uint8Array();

function verdictOf(outcome: Signed<{ readonly digest: Uint8Array }>) {
  if (outcome.kind === "issued") {
    return {
      outcome: "signed",
      certificateDigest: outcome.certificate.digest,
      reason: "",
    } as const;
  }
  const { error } = outcome;
  const reason = error instanceof PortcullisError ? String(error.code) : "internal";
  return { outcome: outcome.outcome, certificateDigest: none, reason } as const;
}
