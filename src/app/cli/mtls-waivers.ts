/** Waivers of callers and of silent proxies, for people and for programs: whom they pass over for which target, by whom, why, until when. */

import type { Waiver } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatRelative } from "./format.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { formatTable } from "./table.ts";
import { printable } from "./text.ts";
import { waiverValue, type WaiverValue } from "./waiver-value.ts";

/** Each in all of its words. */
export type CallerWaiverValue = WaiverValue & {
  /** As it was asked for: of a port, or of all. */
  readonly target: string;
};

export function callerWaiverValue(waiver: Waiver): CallerWaiverValue {
  return { target: waiver.target, ...waiverValue(waiver) };
}

const linesMax = 20;

/** Before anybody says yes: `counts: legacy/cron waived by ada until TIME, reason: is shut down on Friday`. "" for none. */
export function countsText(waivers: readonly CallerWaiverValue[], target: string): string {
  const lines = waivers.slice(0, linesMax).map((each) => {
    const whose = each.target === target || each.target === "" ? "" : ` for ${each.target}`;
    return `counts: ${each.name} waived${whose} by ${each.operator} until ${each.until}, reason: ${each.reason}`;
  });
  const more = waivers.length - lines.length;
  const rest = more > 0 ? [`counts: and ${more} more: portcullis mtls waivers list`] : [];
  return [...lines, ...rest].map((line) => `${printable(line)}\n`).join("");
}

/** How one of them ends before its time. */
export function endNext(
  waivers: readonly CallerWaiverValue[],
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  const [first] = waivers;
  if (first === undefined) return [];
  const words = [first.name, "--target", first.target, "--reason", "counts again"];
  const command = commandOf(server, "mtls waivers end", words);
  return [{ command, why: "a waiver that is not meant any more ends before its time" }];
}

export function waiversTable(
  waivers: readonly CallerWaiverValue[],
  nowMs: number,
  colour: boolean,
): string {
  if (waivers.length === 0) return "nobody is waived\n";
  return formatTable(
    ["target", "waived", "ends", "by", "reason"].map((header) => ({ header })),
    waivers.map(({ target, name, until, operator, reason }) => [
      target,
      name,
      formatRelative(Date.parse(until), nowMs),
      operator,
      reason,
    ]),
    { colour },
  );
}
