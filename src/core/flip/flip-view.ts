/** What is known when a flip is asked for its next step: of one moment, put together by who asks. */

import type { Holder } from "../evidence/address-history.ts";
import type { ConnectionKind } from "../evidence/connection.ts";
import type { Absent } from "../evidence/member.ts";
import type { Verdict } from "../evidence/verdict.ts";
import type { ObjectSays } from "./object-says.ts";

/** How far STRICT is at a workload's proxies. */
export type MemberStage =
  /** Nobody could refuse anything there. */
  | "no-proxy"
  | "pushed"
  /** Acknowledged, and plaintext of before is open or may be. */
  | "draining"
  | "in-force"
  | "silent"
  | "refused";

export interface MemberState {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** Of its proxy that is least far; without a meaning while the workload is held back. */
  readonly stage: MemberStage;
  /** Its agent tells of it now. */
  readonly isConnected: boolean;
  /** Why nothing is heard of it now. */
  readonly absence?: Absent["absence"] | undefined;
  readonly absentUntilMs?: Absent["absentUntilMs"];
  /** A proxy of its name is told of: one that is silent belongs to another agent of its identity. */
  readonly hasTwin?: boolean;
  /** Open connections with plaintext of before. */
  readonly draining: number;
  /**
   * Until when all of its proxies have told whom they saw, without a gap: since it is strict, or, as long as it is not, since the time
   * that a verdict covers. Undefined: nothing was told.
   */
  readonly evidenceUntilMs: number | undefined;
  /** One of them has told of later, and what is missing does not come any more. */
  readonly hasGap: boolean;
  /** Connections since then, up to the flip's end, of which nobody knows whose they were. */
  readonly lost: number;
  /** A waiver names its silence, and counts: it is silent (`waived-silence`). */
  readonly isWaived: boolean;
}

/** Connections to a port of the target that were refused, of one source; since the look-back of the flip's start. */
export interface RefusedCall {
  /** `NAMESPACE/NAME` of the workload that was called. */
  readonly member: string;
  readonly port: number;
  readonly kind: ConnectionKind;
  /** Of the source's address, then; of a verified identity nobody is asked. */
  readonly holder: Holder;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface FlipVerdict {
  /** `nobody`: by the evidence, too, no workload is left that is not strict. */
  readonly kind: Verdict["kind"] | "nobody";
  /** Callers, or who is silent: those that are not waived. */
  readonly names: readonly string[];
  /** Nobody of them was seen: the configuration tells them to send plaintext. */
  readonly isTold?: boolean;
}

export interface FlipView {
  /** All of the target, each once: by the configuration, and by the evidence's members that are not proven gone. */
  readonly workloads: readonly MemberState[];
  readonly object: ObjectSays;
  /** `NAMESPACE/NAME` of those that stand over what the flip wrote. */
  readonly overruledBy: readonly string[];
  /** Since when the object that the flip changes is not there, by whoever looks; undefined: it is there. */
  readonly absentSinceMs: number | undefined;
  /** `blind`: nobody can be asked now. What is known is what was told before, and nothing that is missing has an end. */
  readonly evidence: "known" | "blind";
  /** Since when somebody looks, as from a server's start: whose agent had no time to come back has had none to tell. */
  readonly lookedSinceMs: number;
  /** Over the look-back, of the workloads that are not strict yet. */
  readonly verdict: FlipVerdict;
  /** Since when it is safe, each time that it is asked for this stage; undefined: it is not, or was not asked. */
  readonly safeSinceMs: number | undefined;
  readonly refused: readonly RefusedCall[];
  /** By name, until when a waiver of a caller counts, or has counted. */
  readonly waivedUntil: ReadonlyMap<string, number>;
}
