/** What a simulated server knows of a flip at a moment. */

import type { Holder } from "../../src/core/evidence/address-history.ts";
import { callerHolder, type CallerHolder } from "../../src/core/evidence/callers.ts";
import { brokenCalls } from "../../src/core/flip/broken-calls.ts";
import { manifestOf } from "../../src/core/flip/edited-policy.ts";
import { stagesOf, type Flip } from "../../src/core/flip/flip.ts";
import type { FlipVerdict, FlipView, RefusedCall } from "../../src/core/flip/flip-view.ts";
import { objectSays } from "../../src/core/flip/object-says.ts";
import { viewWith } from "../../src/core/flip/view-with.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import { askedPorts } from "../../src/app/server/flips/asked-ports.ts";
import { isAskedOf } from "../../src/app/server/flips/judgement.ts";
import type { StoredMember } from "../../src/edge/evidence/evidence-question.ts";
import { workloadsOf } from "./flip-progress.ts";
import { peerOfFlip } from "./mesh-objects.ts";
import { TargetEvidence, type EvidenceOf } from "./target-evidence.ts";

export interface SeenOfFlip {
  readonly members: readonly StoredMember[];
  readonly refused: readonly RefusedCall[];
}

export class FlipSight {
  readonly #of: EvidenceOf;
  readonly target: TargetEvidence;

  constructor(of: EvidenceOf) {
    this.#of = of;
    this.target = new TargetEvidence(of);
  }

  /** What the evidence says. */
  see(flip: Flip): SeenOfFlip {
    return {
      members: this.target.members(flip.target, this.#of.nowMs()),
      refused: this.#refused(flip, this.#of.view()),
    };
  }

  viewBy(flip: Flip, { members, refused }: SeenOfFlip, verdict: FlipVerdict): FlipView {
    const object = objectSays(flip, this.#of.view());
    return { workloads: workloadsOf(flip, this.#of, members), object, verdict, refused };
  }

  judge(flip: Flip): FlipVerdict {
    const view = this.#of.view();
    const { target, ports, exceptPorts, lookBackMs } = flip;
    const stageOf = stagesOf(flip);
    const verdict = this.target.judge({
      target,
      ports: { ports, exceptPorts },
      lookBackMs,
      brokenCalls: brokenBy(flip, view),
      isStrict: (workload) => stageOf(workload) !== undefined,
    });
    if (verdict === undefined) return { kind: "nobody", names: [] };
    const { kind, callers, silent } = verdict;
    const names = [...callers, ...silent].filter(({ isWaived }) => !isWaived);
    return { kind, names: [...new Set(names.map(({ name }) => name))] };
  }

  #refused(flip: Flip, view: MeshView): readonly RefusedCall[] {
    const { evidence } = this.#of;
    if (flip.opened.length === 0) return [];
    const sinceMs = flip.startedMs - flip.lookBackMs;
    const members = this.target.members(flip.target, sinceMs);
    const isAsked = isAskedOf(members, askedPorts(view, flip.target, flip));
    const names = new Map(members.map(({ key, name }) => [key, name]));
    const question = {
      kind: "seen",
      members: [...names.keys()],
      ports: undefined,
      sinceMs,
    } as const;
    const rows = evidence
      .ask({ ...question, isRefusedOnly: true })
      .filter(({ member, port }) => isAsked(member, port));
    const history = this.target.historyOf(rows, sinceMs);
    return rows.map((row) => {
      const { port, kind, firstMs, lastMs } = row;
      const member = names.get(row.member) ?? row.member;
      const holder = callerHolder(row, member, (...of) => history.holderOf(...of));
      return { member, port, kind, holder: namedHolder(holder), firstMs, lastMs };
    });
  }
}

/** Only an address that is known takes something back. */
function namedHolder(holder: CallerHolder): Holder {
  const isHolder = holder.kind === "workload" || holder.kind === "own" || holder.kind === "several";
  return isHolder ? holder : { kind: "unknown" };
}

/** By what the flip does, whatever of it the objects say by now. */
function brokenBy({ target, edit: { ref, beforeJson, afterJson } }: Flip, view: MeshView) {
  const before = beforeJson === undefined ? undefined : peerOfFlip(ref, manifestOf(beforeJson));
  const after = peerOfFlip(ref, manifestOf(afterJson));
  return brokenCalls(viewWith(view, ref, before), after, target);
}
