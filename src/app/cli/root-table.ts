/** `root status` for people. */

import { formatRelative, formatSpan } from "./format.ts";
import { holdersOf, isRotating, leavesOf, severityOf, shapeOf } from "./root-judgement.ts";
import { counted, hangingText } from "./root-hanging.ts";
import { laggardTable, type LaggardView } from "./root-laggards.ts";
import type { RootAuthorityValue, RootStatusValue } from "./root-value.ts";
import { formatTable, type Cell, type CellColour } from "./table.ts";
import { lifeWarnings } from "./root-life.ts";
import { nextLines, nextOf } from "./next-commands.ts";
import { reloadRefusalText } from "./reload-refusal-value.ts";
import { endLines, stepLines } from "./root-steps-table.ts";
import { wordsOf } from "./server-words.ts";

export function rootStatusTables(
  status: RootStatusValue,
  columns: number,
  view: LaggardView,
): string {
  const { nowMs, colour } = view;
  const blocks = [
    headOf(status, view),
    `${authorityTable(status, nowMs, colour)}${lifeLines(status, view)}`,
    verifiersOf(status, view),
    holdersBlock(status, view),
    waiversOf(status, nowMs, colour),
    stepLines(status.steps, nowMs, columns),
    endLines(status, columns, view.target),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

function headOf(
  { trustDomain, bundleSequence, epoch, automatic, reloadRefusals }: RootStatusValue,
  { target, nowMs }: LaggardView,
): string {
  const lines = [
    `trust domain ${trustDomain}, trust bundle ${bundleSequence}, epoch ${epoch}`,
    ...(automatic === "" ? [] : [`by itself: ${wordsOf(automatic, nowMs)}`]),
    ...reloadRefusals.map((each) => reloadRefusalText(each, target, nowMs)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

const colours: Readonly<Record<ReturnType<typeof severityOf>, CellColour | undefined>> = {
  ok: undefined,
  warning: "yellow",
  critical: "red",
};

function authorityTable(status: RootStatusValue, nowMs: number, colour: boolean): string {
  const headers = ["authority", "state", "since", "key", "expires", "life left", "certificates"];
  return formatTable(
    headers.map((header) => ({ header })),
    status.authorities.map((authority): Cell[] => {
      const marked = (text: string): Cell => {
        const wanted = colours[severityOf(authority)];
        return wanted === undefined || text === "" ? text : { text, colour: wanted };
      };
      const holders = holdersOf(status, authority);
      return [
        authority.id,
        authority.compromised ? marked(`${authority.state}, compromised`) : authority.state,
        relative(authority.since, nowMs),
        keyOf(authority),
        relative(authority.notAfter, nowMs),
        marked(authority.notAfter === "" ? "" : `${authority.lifeLeftPercent} %`),
        holders === undefined ? "" : String(leavesOf(holders)),
      ];
    }),
    { colour },
  );
}

/** Where no rotation is on that ends it. */
function lifeLines(status: RootStatusValue, { target, nowMs }: LaggardView): string {
  const warnings = lifeWarnings(status).map((each) => `warning: ${each}\n`);
  if (warnings.length === 0 || isRotating(shapeOf(status))) return warnings.join("");
  const next = nextOf(target, "what a rotation takes: portcullis root plan");
  return warnings.join("") + nextLines("next", next, nowMs);
}

function keyOf({ keyType, keyLocation }: RootAuthorityValue): string {
  return keyLocation === "" ? keyType : `${keyType} (${keyLocation})`;
}

function verifiersOf(status: RootStatusValue, view: LaggardView): string {
  const { total, confirmed, weak, waived, ackOnly, lagging, laggards } = status.verifiers;
  const notes = [
    weak > 0 ? [`${weak} of them by a delivery or a renewal, not by an acknowledgement`] : [],
    ackOnly > 0
      ? [`${ackOnly} of them by Envoy's word only, since its listeners are not ours to try`]
      : [],
    waived > 0 ? [`${waived} waived`] : [],
    lagging > 0
      ? [`${lagging} lag${isRotating(shapeOf(status)) ? "" : ", and nothing waits for that"}`]
      : [],
  ].flat();
  const counts = [`${confirmed} of ${total} verifiers hold the present bundle`, ...notes];
  return `${counts.join("; ")}\n${laggardTable(laggards, lagging, view)}`;
}

/** Who stands in the way of what is going: of the active authority that is nobody. */
function holdersBlock(status: RootStatusValue, view: LaggardView): string {
  const { prepared, retiring } = shapeOf(status);
  const going = retiring ?? prepared;
  const holders = holdersOf(status, going);
  const lines: string[] = [];
  if (going !== undefined && holders !== undefined && holders.unexpired > 0) {
    lines.push(
      `${going.id}: ${hangingText(holders, view.nowMs)}\n`,
      laggardTable(holders.named, holders.unexpired - holders.waived, view),
    );
  }
  const { left, perSecond } = status.reissue;
  if (left > 0) {
    const span =
      left > perSecond && perSecond > 0
        ? `, ${formatSpan((left / perSecond) * 1_000)} of work`
        : "";
    lines.push(
      `re-issue: ${counted(left, "certificate")} to go, at ${perSecond} a second${span}\n`,
    );
  }
  return lines.join("");
}

function waiversOf({ waivers }: RootStatusValue, nowMs: number, colour: boolean): string {
  if (waivers.length === 0) return "";
  return formatTable(
    ["waived", "ends", "by", "reason"].map((header) => ({ header })),
    waivers.map(({ name, until, operator, reason }) => [
      name,
      relative(until, nowMs),
      operator,
      reason,
    ]),
    { colour },
  );
}

function relative(timestamp: string, nowMs: number): string {
  return timestamp === "" ? "" : formatRelative(Date.parse(timestamp), nowMs);
}
