/** What changes in `evidence.db`, in the order in which it happened. */

import type { PortCoverage, SeenConnections } from "../../core/evidence/connection.ts";

/** Of one Envoy. */
export interface ReportedProxy {
  /** Key of the proxy: a member of this key has to be there. */
  readonly proxy: string;
  readonly epochMs: number;
  readonly seen: readonly SeenConnections[];
  readonly coverage: readonly PortCoverage[];
}

/** Counts once for each reporter, run and sequence, all of it or nothing. */
export interface ReportChange {
  readonly kind: "report";
  readonly reporter: string;
  readonly runId: string;
  readonly sequence: number;
  readonly atMs: number;
  /** SPIFFE IDs of whom nothing was kept. */
  readonly unproven: readonly string[];
  readonly proxies: readonly ReportedProxy[];
}

export interface ReportOutcome {
  /** It had been counted before, and was not counted again. */
  readonly isRepeated: boolean;
  /** As when it was counted. */
  readonly unproven: readonly string[];
}

/** A proxy is there, under these labels; the same said again changes nothing. */
export interface MemberChange {
  readonly kind: "member";
  readonly proxy: string;
  readonly reporter: string;
  readonly spiffeId: string;
  readonly namespace: string;
  /** Of its workload. */
  readonly name: string;
  /** As `labelsKey` writes them; "" while nobody has said them. */
  readonly labels: string;
  /** Until then something of it was told and not kept; undefined or 0: nothing. */
  readonly lostMs?: number;
  readonly atMs: number;
}

/** It does not come back. One that does all the same is another life, or the same one if its Envoy has been there all along. */
export interface GoneChange {
  readonly kind: "gone";
  readonly proxy: string;
  readonly atMs: number;
}

/** A workload holds an address from now on, or no more. */
export interface AddressChange {
  readonly kind: "held" | "left";
  /** Canonical. */
  readonly address: string;
  /** NAMESPACE/NAME */
  readonly workload: string;
  readonly isMeshed: boolean;
  readonly atMs: number;
}

export type EvidenceChange = ReportChange | MemberChange | GoneChange | AddressChange;

/** Undefined for whatever is no report. */
export type ChangeOutcome = ReportOutcome | undefined;

export const hourMs = 3_600_000;
