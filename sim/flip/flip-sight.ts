/** What a simulated server knows of a flip at a moment. */

import { manifestOf } from "../../src/core/flip/edited-policy.ts";
import { stagesOf, type Flip } from "../../src/core/flip/flip.ts";
import type { FlipVerdict, FlipView, RefusedCall } from "../../src/core/flip/flip-view.ts";
import { objectOf, objectSays, overrulersOf } from "../../src/core/flip/object-says.ts";
import { flipBreaks } from "../../src/core/flip/strict-breaks.ts";
import type { StrictEdit } from "../../src/core/flip/strict-edit.ts";
import type { FlipTarget } from "../../src/core/flip/target.ts";
import { withSilence } from "../../src/core/flip/waived-silence.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import { EvidenceStoreError } from "../../src/edge/evidence/evidence-error.ts";
import { evidencedMembers, workloadsOf, type EvidencedMember } from "./flip-progress.ts";
import { peerOfFlip } from "./mesh-objects.ts";
import { refusedCalls } from "./refused-calls.ts";
import { TargetEvidence, type EvidenceOf } from "./target-evidence.ts";

export interface SeenOfFlip {
  readonly members: readonly EvidencedMember[];
  readonly refused: readonly RefusedCall[];
  readonly evidence: FlipView["evidence"];
}

/** Nothing is concluded. */
const whenBlind: Pick<FlipView, "evidence" | "verdict"> = {
  evidence: "blind",
  verdict: { kind: "unknown", names: [] },
};
const nothing: Omit<SeenOfFlip, "evidence"> = { members: [], refused: [] };

export class FlipSight {
  readonly #of: EvidenceOf;
  readonly target: TargetEvidence;
  readonly #lookedSinceMs: number;
  /** By flip. */
  readonly #last = new Map<number, Omit<SeenOfFlip, "evidence">>();
  readonly #absentSinceMs = new Map<number, number>();
  /** Since when it is safe to open the next stage. */
  readonly #safe = new Map<number, { readonly opened: number; readonly sinceMs: number }>();

  constructor(of: EvidenceOf) {
    this.#of = of;
    this.#lookedSinceMs = of.nowMs();
    this.target = new TargetEvidence(of);
  }

  /** What the evidence says; where it cannot be asked, what it said before. */
  see(flip: Flip): SeenOfFlip {
    const seen = orBlind(() => ({
      members: evidencedMembers(flip, this.#of, this.target.members(flip.target, this.#of.nowMs())),
      refused: refusedCalls(flip, this.#of, this.target),
    }));
    if (seen === undefined)
      return { ...(this.#last.get(flip.id) ?? nothing), evidence: whenBlind.evidence };
    this.#last.set(flip.id, seen);
    return { ...seen, evidence: "known" };
  }

  /** With a verdict that was just asked for. */
  judgedBy(flip: Flip, seen: SeenOfFlip, verdict: FlipVerdict): FlipView {
    const safe = this.#safe.get(flip.id);
    const opened = flip.opened.length;
    const sinceMs = safe?.opened === opened ? safe.sinceMs : this.#of.nowMs();
    if (verdict.kind === "safe") this.#safe.set(flip.id, { opened, sinceMs });
    else this.#safe.delete(flip.id);
    return this.viewBy(flip, seen, verdict);
  }

  viewBy(flip: Flip, { members, refused, evidence }: SeenOfFlip, verdict: FlipVerdict): FlipView {
    const safe = this.#safe.get(flip.id);
    return {
      safeSinceMs: safe?.opened === flip.opened.length ? safe.sinceMs : undefined,
      workloads: withSilence(workloadsOf(flip, this.#of, members), this.#of.nowMs()),
      object: objectSays(flip, this.#of.view()),
      overruledBy: overrulersOf(flip, this.#of.view()),
      absentSinceMs: this.#absentSince(flip),
      evidence,
      lookedSinceMs: this.#lookedSinceMs,
      verdict,
      refused,
      // One that is over has counted.
      waivedUntil: new Map(
        Array.from(this.#of.disk.waivers, ([name, { untilMs }]) => [name, untilMs]),
      ),
    };
  }

  /** As whoever looks has seen it. */
  #absentSince({ id, edit }: Flip): number | undefined {
    const isThere = objectOf({ edit }, this.#of.view()) !== undefined;
    if (isThere) this.#absentSinceMs.delete(id);
    else this.#absentSinceMs.set(id, this.#absentSinceMs.get(id) ?? this.#of.nowMs());
    return this.#absentSinceMs.get(id);
  }

  /** Of what is to be one. */
  judgePlan(target: FlipTarget, edit: StrictEdit, lookBackMs: number): FlipVerdict["kind"] {
    const { ports, exceptPorts, brokenCalls: broken } = edit;
    const rest = { ports: { ports, exceptPorts }, lookBackMs, brokenCalls: broken };
    const judge = (): FlipVerdict["kind"] =>
      this.target.judge({ target, ...rest, isStrict: () => false })?.kind ?? "nobody";
    return orBlind(judge) ?? whenBlind.verdict.kind;
  }

  judge(flip: Flip): FlipVerdict {
    return orBlind(() => this.#judge(flip)) ?? whenBlind.verdict;
  }

  #judge(flip: Flip): FlipVerdict {
    const view = this.#of.view();
    const { target, ports, exceptPorts, lookBackMs } = flip;
    const stageOf = stagesOf(flip);
    const judged = {
      target,
      ports: { ports, exceptPorts },
      lookBackMs,
      brokenCalls: brokenBy(flip, view),
      isStrict: (workload: string) => stageOf(workload) !== undefined,
    };
    const verdict = this.target.judge(judged);
    if (verdict === undefined) return { kind: "nobody", names: [] };
    const { kind, callers, silent } = verdict;
    if (kind === "safe" && this.target.isNobodyLeft(judged)) return { kind: "nobody", names: [] };
    const names = [...callers, ...silent].filter(({ isWaived }) => !isWaived);
    return { kind, names: [...new Set(names.map(({ name }) => name))] };
  }
}

/** @returns undefined where the evidence cannot be asked */
function orBlind<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof EvidenceStoreError) return undefined;
    throw error;
  }
}

function brokenBy({ target, edit: { ref, beforeJson, afterJson } }: Flip, view: MeshView) {
  const before = beforeJson === undefined ? undefined : peerOfFlip(ref, manifestOf(beforeJson));
  const after = peerOfFlip(ref, manifestOf(afterJson));
  const sources = { view, manifestOf: () => ({}), createdMs: undefined };
  return flipBreaks(target, { before, after }, sources);
}
