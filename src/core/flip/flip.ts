/** A flip as it is kept: a target on its way to strict, stage by stage. Each change of it is durable before it is in force. */

import type { ResourceRef } from "../resources/resource.ts";
import type { Stage } from "./stages.ts";
import type { FlipTarget } from "./target.ts";

/** The change of the one object that decides. */
export interface FlipEdit {
  readonly ref: ResourceRef;
  /** Manifests in JSON; undefined where there was none. */
  readonly beforeJson: string | undefined;
  readonly afterJson: string;
  /** False: somebody else writes it, and is waited for. */
  readonly isOurs: boolean;
}

/** Those that become strict by the edit. */
export interface FlipPorts {
  /** Empty: all. */
  readonly ports: readonly number[];
  /** Strict before. */
  readonly exceptPorts: readonly number[];
}

/** How long a flip is watched after its last stage, unless somebody says otherwise. */
export const revertWindowSeconds = 600;

export interface OpenedStage {
  /** Of `stages`. */
  readonly index: number;
  /** `NAMESPACE/NAME` of those whom it has made strict; empty for the last: all, and whoever comes. */
  readonly workloads: readonly string[];
  readonly openedMs: number;
  /** Since when all of them refuse plaintext, and none of before is open. */
  readonly inForceMs: number | undefined;
}

export type RevertCause =
  | { readonly kind: "operator"; readonly operator: string; readonly reason: string }
  /** A caller of the mesh failed that did not fail before. */
  | { readonly kind: "meshed-failure"; readonly callers: readonly string[] }
  /** As many as `revertOnRefused` were refused, by name. */
  | { readonly kind: "refused"; readonly callers: readonly string[] }
  /** Others stand over the flip's object, which would make all strict when they go. `objects`: `NAMESPACE/NAME`. */
  | { readonly kind: "superseded"; readonly objects: readonly string[] };

export type FlipState =
  /** The hold-back is in force; the object does not say yet what it is to say. */
  | {
      readonly kind: "editing";
      /** The flip has written it, and it has said STRICT: what it says else is somebody else's word. */
      readonly isWritten?: true;
    }
  /** The last of `opened`. */
  | { readonly kind: "stage" }
  /** All are strict. */
  | { readonly kind: "watching"; readonly sinceMs: number }
  /** All are held back, and the object is being edited back. */
  | { readonly kind: "reverting"; readonly cause: RevertCause; readonly sinceMs: number }
  /** `unseen`: `NAMESPACE/NAME` of those that have not told of the whole window, or take plaintext at its end. */
  | { readonly kind: "done"; readonly endedMs: number; readonly unseen: readonly string[] }
  | { readonly kind: "reverted"; readonly cause: RevertCause; readonly endedMs: number }
  /** Somebody else has made the target something else: nothing is written over it. */
  | { readonly kind: "superseded"; readonly endedMs: number; readonly why: string };

export interface Flip extends FlipPorts {
  readonly id: number;
  readonly target: FlipTarget;
  readonly operator: string;
  readonly startedMs: number;
  readonly lookBackMs: number;
  readonly stages: readonly Stage[];
  readonly revertWindowMs: number;
  /** Undefined: never because of refused plaintext. */
  readonly revertOnRefused: number | undefined;
  readonly edit: FlipEdit;
  /** Only ever longer. */
  readonly opened: readonly OpenedStage[];
  readonly state: FlipState;
}

export type NewFlip = Omit<Flip, "opened" | "state">;

export function newFlip(flip: NewFlip): Flip {
  return { ...flip, opened: [], state: { kind: "editing" } };
}

/** Callers, or objects. */
export function causeNames(cause: RevertCause): readonly string[] {
  return "callers" in cause ? cause.callers : "objects" in cause ? cause.objects : [];
}

/** Nothing more comes of it by itself. */
export function hasEnded({ state: { kind } }: Flip): boolean {
  return kind === "done" || kind === "reverted" || kind === "superseded";
}

export function isFlipPort({ ports, exceptPorts }: FlipPorts, port: number): boolean {
  return (ports.length === 0 || ports.includes(port)) && !exceptPorts.includes(port);
}

/** The last one stands open: nobody is held back. */
export function isOpenToAll({ opened, stages }: Flip): boolean {
  return opened.at(-1)?.index === stages.length - 1;
}

/** The stage that has made a workload strict: a target may have thousands, so that they are looked up. */
export function stagesOf(flip: Flip): (workload: string) => OpenedStage | undefined {
  const own = new Map(
    flip.opened.flatMap((stage) => stage.workloads.map((each) => [each, stage] as const)),
  );
  const last = isOpenToAll(flip) ? flip.opened.at(-1) : undefined;
  return (workload) => own.get(workload) ?? last;
}

/** What happens now happens no earlier: a clock that was set back does not count. */
export function lastMs({ startedMs, opened, state }: Flip): number {
  const stages = opened.flatMap(({ openedMs, inForceMs = 0 }) => [openedMs, inForceMs]);
  const ofState = "sinceMs" in state ? state.sinceMs : "endedMs" in state ? state.endedMs : 0;
  return Math.max(startedMs, ofState, ...stages);
}
