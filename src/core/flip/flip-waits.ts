/** Why the next step of a flip is not taken yet, by name. What the machine goes by, so that nobody is told something else. */

import { absenceWords } from "./absence-words.ts";
import { isOpenToAll, lastMs, stagesOf, type Flip } from "./flip.ts";
import { endMs } from "./flip-causes.ts";
import { listed } from "./flip-error.ts";
import type { FlipView, MemberStage, MemberState } from "./flip-view.ts";
import { timeText, type FlipWait } from "./flip-wait.ts";
import { missedUntil, unmadeUntil } from "./superseding.ts";
import { blindWaits, toldWaits, windowToldWaits } from "./told-until.ts";

/** @returns none where a step can be taken, or nothing is left to do */
export function waitsFor(flip: Flip, view: FlipView, nowMs: number): readonly FlipWait[] {
  switch (flip.state.kind) {
    case "editing":
      return [...objectWaits(flip, view), ...nextWaits(flip, view)];
    case "stage":
      return [...objectWaits(flip, view), ...forceWaits(flip, view), ...nextWaits(flip, view)];
    case "watching":
      return windowWaits(flip, view, nowMs);
    case "reverting":
      return isBack(view) ? [] : [objectWait(backWords(flip), flip)];
    case "done":
    case "reverted":
    case "superseded":
      return [];
    default:
      return flip.state satisfies never;
  }
}

function backWords({ edit }: Flip): string {
  return edit.beforeJson === undefined
    ? "is to be gone again"
    : "is to say again what it said before the flip";
}

/** Nothing of the target is strict by the objects. */
export function isBack({ object }: FlipView): boolean {
  return object === "before" || object === "other";
}

const stageWords = {
  pushed: "has not acknowledged STRICT",
  refused: "its Envoy refuses what it was sent: portcullis mtls status",
} as const;

export function forceWaits(flip: Flip, view: FlipView): readonly FlipWait[] {
  return strictOf(flip, view).flatMap((each): FlipWait[] => {
    const { name, stage, draining, isWaived } = each;
    if (stage === "in-force" || (stage === "silent" && isWaived)) return [];
    if (stage === "silent") return [{ kind: "proxy", name, detail: absenceWords(each) }];
    if (stage !== "draining") return [{ kind: "proxy", name, detail: stageWords[stage] }];
    const open = draining === 0 ? "what was open may still be" : `${draining} are still open`;
    return [{ kind: "connections", name, detail: `plaintext of before: ${open}` }];
  });
}

/** Before another stage. Of the last one nothing more is asked: the flip watches. */
function nextWaits(flip: Flip, view: FlipView): readonly FlipWait[] {
  if (isOpenToAll(flip)) return [];
  const late = toldWaits(flip, view);
  return [...late, ...verdictWaits(flip, view)];
}

/** Their proxies answer, and are not strict: a new one that is on its way, or one that refuses what it was sent. */
export function laxOf(flip: Flip, view: FlipView): readonly MemberState[] {
  return strictOf(flip, view).filter(({ stage }) => stage === "pushed" || stage === "refused");
}

function windowWaits(flip: Flip, view: FlipView, nowMs: number): readonly FlipWait[] {
  const untilMs = endMs(flip);
  const atMs = Math.max(nowMs, lastMs(flip));
  const isChanged = missedUntil(flip, view) !== undefined || view.object === "partly";
  const missed = isChanged ? objectWaits(flip, view) : [];
  if (atMs < untilMs) {
    const window: FlipWait = {
      kind: "window",
      name: "",
      detail: `is watched until ${timeText(untilMs)}`,
    };
    return [...missed, ...blindWaits(flip, view), window];
  }
  const isLate = atMs >= unmadeUntil(flip, view);
  const lax = isLate ? [] : forceWaits(flip, { ...view, workloads: laxOf(flip, view) });
  return [...missed, ...lax, ...windowToldWaits(flip, view, atMs)];
}

function objectWaits(flip: Flip, view: FlipView): readonly FlipWait[] {
  const { object } = view;
  if (object === "after") return [];
  const missedMs = missedUntil(flip, view);
  if (missedMs !== undefined) {
    const until = `is not there: if it is not back by ${timeText(missedMs)}, the flip is over`;
    return [objectWait(until, flip)];
  }
  if (object === "overruled") {
    return [
      objectWait(`says STRICT, and another stands over it: ${listed(view.overruledBy)}`, flip),
    ];
  }
  const detail =
    object === "partly" ? "some of the target is strict, and some is not" : "is to say STRICT";
  return [objectWait(detail, flip)];
}

function objectWait(detail: string, { edit: { ref, isOurs } }: Flip): FlipWait {
  const whose = isOurs ? "" : ": it is yours to change";
  return { kind: "object", name: `${ref.namespace}/${ref.name}`, detail: `${detail}${whose}` };
}

/** Not asked of nobody. Where somebody is left and none of them is known here yet, nobody can be chosen. */
function verdictWaits(flip: Flip, { verdict, workloads }: FlipView): readonly FlipWait[] {
  const { text } = flip.target;
  const unsure: FlipWait = {
    kind: "verdict",
    name: text,
    detail: "it is not known yet who is there",
  };
  if (verdict.kind === "nobody") return flip.opened.length > 0 ? [] : [unsure];
  if (verdict.kind === "safe") {
    const stageOf = stagesOf(flip);
    return workloads.some(({ name }) => stageOf(name) === undefined) ? [] : [unsure];
  }
  const calls = verdict.isTold === true ? "is told to call without mTLS" : "calls without mTLS";
  const detail = verdict.kind === "unsafe" ? calls : "its evidence is missing";
  const names = verdict.names.length > 0 ? verdict.names : [text];
  return names.map((name) => ({ kind: "verdict", name, detail }));
}

type Enforcing = MemberState & { readonly stage: Exclude<MemberStage, "no-proxy"> };

/** Made strict by the flip, and somebody is there who refuses. */
function strictOf(flip: Flip, { workloads }: FlipView): readonly Enforcing[] {
  const stageOf = stagesOf(flip);
  return workloads.filter(
    (each): each is Enforcing => each.stage !== "no-proxy" && stageOf(each.name) !== undefined,
  );
}
