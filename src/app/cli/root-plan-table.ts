/** `root plan` for people. */

import { formatSpan } from "./format.ts";
import { laggardTable, type LaggardView } from "./root-laggards.ts";
import type { PlanSpan, PlanStep, PlanValue } from "./root-plan.ts";
import { pasteable, type RootTarget } from "./root-target.ts";
import { wordsOf, wrapWords } from "./root-words.ts";
import { printable, wrap } from "./text.ts";

export function planText(plan: PlanValue, columns: number, view: LaggardView): string {
  const { target } = view;
  const blocks = [
    headOf(plan),
    plan.steps.map((step, index) => stepText(step, index, columns, target)).join(""),
    unobservableOf(plan, columns),
    inTheWay(plan, view),
    pasteable(target, nextOf(plan)),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

function headOf({ trustDomain, rotating, automatic, seconds, now }: PlanValue): string {
  const what = rotating ? "what is left of the rotation" : "a rotation";
  const { atLeast, atMost } = seconds;
  const lines = [
    `${what} of ${trustDomain}: ${atLeast === 0 ? "moments" : `about ${formatSpan(atLeast * 1_000)}`}, by what is connected and signed now\n`,
    `at most ${formatSpan(atMost * 1_000)}, where machines go away with the longest certificates, if nobody refuses the bundle\n`,
  ];
  if (automatic !== "") lines.push(`by itself: ${wordsOf(automatic, Date.parse(now))}\n`);
  return lines.join("");
}

function stepText(
  { name, command, state, what, seconds }: PlanStep,
  index: number,
  columns: number,
  target: RootTarget,
): string {
  const mark = { done: "done", now: "now ", later: "    " }[state];
  const head = command === "" ? name : pasteable(target, command);
  const time = state === "done" || seconds.atMost === 0 ? "" : ` (${spanText(seconds)})`;
  const text = pasteable(target, printable(what));
  const lines = wrapWords(text, Math.max(40, Math.min(columns, 100) - 8));
  return [`${mark} ${index + 1} ${head}${time}`, ...lines.map((line) => `       ${line}`)]
    .map((line) => `${line}\n`)
    .join("");
}

function spanText({ atLeast, atMost }: PlanSpan): string {
  const most = `at most ${formatSpan(atMost * 1_000)}`;
  if (atLeast >= atMost || atMost < 60) return most;
  return `${atLeast === 0 ? "moments" : `about ${formatSpan(atLeast * 1_000)}`}, ${most}`;
}

function inTheWay({ refusal, lagging, laggards }: PlanValue, view: LaggardView): string {
  const refused =
    refusal === "" ? "" : `prepare would be refused: ${wordsOf(refusal, view.nowMs)}\n`;
  // Those whom nobody can observe have lines of their own.
  const others = laggards.filter(({ reason }) => reason !== "unobservable");
  const count = lagging - (laggards.length - others.length);
  if (count === 0) return `${refused}nobody ${lagging === 0 ? "" : "else "}stands in the way now\n`;
  const table = laggardTable(others, count, view);
  return `${refused}in the way now, ${count} who ${count === 1 ? "does" : "do"} not hold the present bundle:\n${table}`;
}

/** By the names of classes that servers know; others are an operator's own. */
const advice: ReadonlyMap<string, string> = new Map([
  [
    "class/files",
    "readers of files: give them root-cert.pem before the activation and after the retirement",
  ],
  [
    "class/configmap",
    "readers of a ConfigMap: change it before the activation and after the retirement",
  ],
  ["class/bundle-endpoint", "other trust domains: wait for their refresh hint, see bundle show"],
  ["class/workload-api", "clients of the Workload API that listen no more: have them fetch again"],
]);

function unobservableOf({ unobservable }: PlanValue, columns: number): string {
  if (unobservable.length === 0) return "";
  const lines = unobservable.flatMap(({ name, waived }) => {
    const what = advice.get(name) ?? "see to it yourself that they have the new root";
    const then = waived ? "waived now" : `then --waive ${name} --reason TEXT --for DURATION`;
    return wrap(printable(`${name}: ${what}; ${then}`), Math.max(40, Math.min(columns, 100)));
  });
  return `nobody can observe these, and each holds the gate until it is waived:\n${lines.join("\n")}\n`;
}

function nextOf({ rotating, refusal }: PlanValue): string {
  if (refusal !== "") return "next: portcullis root status\n";
  return `next: portcullis root rotate${rotating ? " --resume" : ""}, or one command at a time\n`;
}
