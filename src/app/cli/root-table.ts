/** `root status` for people. */

import { formatRelative, formatSpan } from "./format.ts";
import { holdersOf, leavesOf, severityOf, shapeOf } from "./root-judgement.ts";
import { laggardTable } from "./root-laggards.ts";
import type { RootAuthorityValue, RootStatusValue, RootStepValue } from "./root-value.ts";
import { formatTable, type Cell, type CellColour } from "./table.ts";
import { printable, wrap } from "./text.ts";

export function rootStatusTables(
  status: RootStatusValue,
  columns: number,
  colour: boolean,
): string {
  const nowMs = Date.parse(status.now);
  const blocks = [
    headOf(status),
    authorityTable(status, nowMs, colour),
    verifiersOf(status, nowMs, colour),
    holdersBlock(status, nowMs, colour),
    waiversOf(status, nowMs, colour),
    stepLines(status.steps, nowMs, columns),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

function headOf({ trustDomain, bundleSequence, epoch, automatic }: RootStatusValue): string {
  const head = `trust domain ${trustDomain}, trust bundle ${bundleSequence}, epoch ${epoch}\n`;
  return automatic === "" ? head : `${head}by itself: ${printable(automatic)}\n`;
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

function keyOf({ keyType, keyLocation }: RootAuthorityValue): string {
  return keyLocation === "" ? keyType : `${keyType} (${keyLocation})`;
}

function verifiersOf(status: RootStatusValue, nowMs: number, colour: boolean): string {
  const { total, confirmed, weak, waived, lagging, laggards } = status.verifiers;
  const notes = [
    weak > 0 ? [`${weak} of them by a delivery or a renewal, not by an acknowledgement`] : [],
    waived > 0 ? [`${waived} waived`] : [],
    lagging > 0 ? [`${lagging} lag`] : [],
  ].flat();
  const counts = [`${confirmed} of ${total} verifiers hold the present bundle`, ...notes];
  return `${counts.join("; ")}\n${laggardTable(laggards, lagging, nowMs, colour)}`;
}

/** Who stands in the way of what is going: of the active authority that is nobody. */
function holdersBlock(status: RootStatusValue, nowMs: number, colour: boolean): string {
  const { prepared, retiring } = shapeOf(status);
  const going = retiring ?? prepared;
  const holders = holdersOf(status, going);
  const lines: string[] = [];
  if (going !== undefined && holders !== undefined && holders.unexpired > 0) {
    const waived = holders.waived > 0 ? `, ${holders.waived} waived` : "";
    const last =
      holders.lastEndsAt === "" ? "" : `; the last ends ${relative(holders.lastEndsAt, nowMs)}`;
    lines.push(
      `${holders.unexpired} certificates hang on the root of ${going.id}${waived}${last}\n`,
      laggardTable(holders.named, holders.unexpired, nowMs, colour),
    );
  }
  const { left, perSecond } = status.reissue;
  if (left > 0) {
    const span = perSecond > 0 ? `, ${formatSpan((left / perSecond) * 1_000)} of work` : "";
    lines.push(`re-issue: ${left} certificates to go, at ${perSecond} a second${span}\n`);
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

/** Refusals are sentences, and too long for a table. */
function stepLines(steps: readonly RootStepValue[], nowMs: number, columns: number): string {
  const width = Math.max(40, Math.min(columns, lineWidthMax) - stepIndent.length);
  const lines = steps.flatMap((step) => {
    const wrapped = stepTexts(step, nowMs).flatMap((text) => wrap(printable(text), width));
    const first = step.command.padEnd(stepIndent.length);
    return wrapped.map((line, index) => (index === 0 ? first : stepIndent) + line);
  });
  return lines.map((line) => `${line}\n`).join("");
}

function stepTexts(step: RootStepValue, nowMs: number): readonly string[] {
  const { allowed, reason, detail, hint, opensAt } = step;
  if (allowed) return ["may be done now"];
  if (outOfTurn.has(reason) && hint !== "") return [`not now: ${hint}`];
  const time = opensAt === "" ? "" : `; at the latest ${relative(opensAt, nowMs)}`;
  return [`not now: ${detail}${time}`, ...(hint === "" ? [] : [`next: ${hint}`])];
}

/** Of these the table of authorities says why. */
const outOfTurn: ReadonlySet<string> = new Set([
  "rotation-in-progress",
  "nothing-prepared",
  "nothing-to-roll-back",
  "nothing-to-retire",
]);

const stepIndent = " ".repeat("activate   ".length);
const lineWidthMax = 110;

function relative(timestamp: string, nowMs: number): string {
  return timestamp === "" ? "" : formatRelative(Date.parse(timestamp), nowMs);
}
