/** What there is to do about those in the way of a flip without changing them: to wait, or to go without them. */

import { formatDuration, formatSpan } from "./format.ts";
import { flipWordsOf, type Asked } from "./mtls-asked.ts";
import type { CallerValue, VerdictValue } from "./mtls-verdict-value.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";

/** Whoever has stopped does not count any more when the look-back is past it. */
export function waitNext(
  { since }: VerdictValue,
  callers: readonly CallerValue[],
): readonly NextValue[] {
  const seen = callers
    .map(({ lastSeen }) => Date.parse(lastSeen))
    .filter((ms) => !Number.isNaN(ms));
  if (seen.length === 0 || seen.length < callers.length) return [];
  const leftMs = Math.max(...seen) - Date.parse(since);
  if (!(leftMs > 0)) return [];
  return [
    {
      command: "",
      why: `or wait: if none of them calls again, none counts in ${formatSpan(leftMs)}`,
    },
  ];
}

const namedMax = 3;

export function waiveNext(
  { target }: VerdictValue,
  all: readonly { readonly name: string }[],
  server: Pick<ServerTarget, "flagText">,
  asked: Asked,
): NextValue {
  const names = [...new Set(all.map(({ name }) => name))];
  const named = names.length > namedMax || names.length === 0 ? ["NAME"] : names;
  const { selectors = [], reason = "may fail", seconds = 86_400 } = asked.wanted ?? {};
  const waived = [...selectors, ...named].flatMap((name) => ["--waive", name]);
  const rest = [
    ...flipWordsOf(asked),
    ...waived,
    "--reason",
    reason,
    "--for",
    formatDuration(seconds),
  ];
  const command = commandOf(server, "mtls flip", [target, ...rest]);
  return { command, why: "or go without them, if they may fail" };
}

/** Beside a flip of this target that is under way: another would be refused. */
export function waiveMeanwhileNext(
  target: string,
  all: readonly { readonly name: string }[],
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  const names = [...new Set(all.map(({ name }) => name))];
  return names.slice(0, namedMax).map((name) => {
    const words = [name, "--target", target, "--reason", "may fail", "--for", "1d"];
    const command = commandOf(server, "mtls waivers add", words);
    return { command, why: `or let the flip go on without ${name}, if it may fail` };
  });
}
