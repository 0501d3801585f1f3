/** What the Secret of the trust is kept with, how often it is looked at, and what operators are told of it. */

import type { Problem } from "../../../../core/problem.ts";
import type { TrustSecretObject } from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import type { LeaseKeeper, LeaseState } from "./lease-keeper.ts";
import type { LocalTrustRecords } from "./local-trust-records.ts";
import type { TrustSecretError } from "./trust-secret-error.ts";

export interface TrustSecretOptions {
  readonly object: Pick<TrustSecretObject, "read" | "write" | "namespace" | "name" | "holder">;
  readonly local: LocalTrustRecords;
  readonly lease: Pick<
    LeaseKeeper,
    "isHeld" | "otherHolder" | "state" | "term" | "rest" | "resume"
  >;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension. */
  readonly monotonicMs: () => number;
  /** Another server has taken the trust further: what this one has is old, and only a start takes over what is there. */
  readonly onOvertaken: (error: TrustSecretError) => void;
  readonly times?: Partial<TrustSecretTimes>;
}

export interface TrustSecretReport {
  /** NAMESPACE/NAME */
  readonly name: string;
  /** Since when something is stored here that is not there, Unix ms; undefined while they are in step. */
  readonly behindSinceMs: number | undefined;
  /** When what another server had stored there was taken over, Unix ms. */
  readonly takenOverMs: number | undefined;
  /** Why nothing is signed; undefined while all is well. */
  readonly problem: Problem | undefined;
  /** What the Secret cannot have, or who else writes it; undefined for nothing. Signing goes on. */
  readonly shortfall: Problem | undefined;
  readonly lease: LeaseState;
}

export interface TrustSecretTimes {
  /** How often the Secret is looked at. */
  readonly lookMs: number;
  /** Unseen for so long, it may have become anything. */
  readonly silenceMaxMs: number;
}

/** The API server is away for seconds when it is restarted; new pods start in a minute at best without it. */
export const trustSecretTimes: TrustSecretTimes = { lookMs: 5_000, silenceMaxMs: 60_000 };
