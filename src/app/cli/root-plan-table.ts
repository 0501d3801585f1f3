/** `root plan` for people. */

import { signedElsewhereName } from "../../core/roll/laggard.ts";
import { formatSpan } from "./format.ts";
import { laggardTable, type LaggardView } from "./root-laggards.ts";
import type { PlanSpan, PlanStep } from "./root-plan-steps.ts";
import type { PlanValue } from "./root-plan.ts";
import { nextLines } from "./next-commands.ts";
import { commandOf } from "./server-target.ts";
import { wordsOf } from "./server-words.ts";
import { printable, wrap } from "./text.ts";

export function planText(plan: PlanValue, columns: number, view: LaggardView): string {
  const blocks = [
    headOf(plan),
    plan.steps.map((step, index) => stepText(step, index, columns)).join(""),
    unobservableOf(plan, columns, view),
    inTheWay(plan, view),
    nextLines("next", plan.next, view.nowMs),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

function headOf(plan: PlanValue): string {
  const { trustDomain, rotating, automatic, seconds, now, warnings } = plan;
  const what = rotating ? "what is left of the rotation" : "a rotation";
  const { atLeast, atMost } = seconds;
  const lines = [
    `${what} of ${trustDomain}: ${atLeast === 0 ? "moments" : `about ${formatSpan(atLeast * 1_000)}`}, by what is connected and signed now\n`,
    `at most ${formatSpan(atMost * 1_000)}, where machines go away with the longest certificates, if nobody refuses the bundle\n`,
  ];
  if (automatic !== "") lines.push(`by itself: ${wordsOf(automatic, Date.parse(now))}\n`);
  return [...lines, ...warnings.map((each) => `warning: ${each}\n`)].join("");
}

function stepText(
  { name, command, state, what, seconds }: PlanStep,
  index: number,
  columns: number,
): string {
  const mark = { done: "done", now: "now ", later: "    " }[state];
  const head = command === "" ? name : command;
  const time = state === "done" || seconds.atMost === 0 ? "" : ` (${spanText(seconds)})`;
  const lines = wrap(printable(what), Math.max(40, Math.min(columns, 100) - 8));
  return [`${mark} ${index + 1} ${head}${time}`, ...lines.map((line) => `       ${line}`)]
    .map((line) => `${line}\n`)
    .join("");
}

function spanText({ atLeast, atMost }: PlanSpan): string {
  const most = `at most ${formatSpan(atMost * 1_000)}`;
  if (atLeast >= atMost || atMost < 60) return most;
  return `${atLeast === 0 ? "moments" : `about ${formatSpan(atLeast * 1_000)}`}, ${most}`;
}

function inTheWay(plan: PlanValue, view: LaggardView): string {
  const { refusal, lagging, laggards, unobservable } = plan;
  const refused =
    refusal === "" ? "" : `the next command would be refused: ${wordsOf(refusal, view.nowMs)}\n`;
  // Those whom nobody can observe have lines of their own.
  const others = laggards.filter(({ reason }) => reason !== "unobservable");
  const count = lagging - (laggards.length - others.length);
  if (count === 0 && refused !== "") return refused;
  const isOpen = unobservable.every(({ waived }) => waived);
  if (count === 0) return `nobody ${isOpen ? "" : "else "}stands in the way now\n`;
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
  [
    signedElsewhereName,
    "certificates that whoever had the CA of the old root before has signed: wait before the retirement until the last of them has expired",
  ],
  ["class/workload-api", "clients of the Workload API that listen no more: have them fetch again"],
]);

function unobservableOf(
  { unobservable }: PlanValue,
  columns: number,
  { target }: LaggardView,
): string {
  if (unobservable.length === 0) return "";
  const lines = unobservable.flatMap(({ name, waived }) => {
    const what = advice.get(name) ?? "see to it yourself that they have the new root";
    const then = waived ? "waived now" : "then:";
    const text = printable(`${name}: ${what}; ${then}`);
    const words = ["--resume", "--waive", name, "--reason", "TEXT", "--for", "DURATION"];
    const command = waived ? [] : [printable(commandOf(target, "root rotate", words))];
    return [...wrap(text, Math.max(40, Math.min(columns, 100))), ...command];
  });
  return `nobody can observe these, and each holds the gate until it is waived:\n${lines.join("\n")}\n`;
}
