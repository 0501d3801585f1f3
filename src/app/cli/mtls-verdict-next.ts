/** What to do after a verdict: the next command, or what ends each kind of caller and of silence. */

import { ExitCode } from "./command.ts";
import { formatDuration, formatSpan } from "./format.ts";
import { flipWordsOf, type Asked } from "./mtls-asked.ts";
import { callerDeeds, silentDeeds } from "./mtls-verdict-deeds.ts";
import { followNext, othersNext } from "./mtls-surroundings.ts";
import { verdictExit } from "./mtls-verdict-line.ts";
import {
  inTheWay,
  type CallerValue,
  type SilentValue,
  type VerdictValue,
} from "./mtls-verdict-value.ts";
import { endNext } from "./mtls-waivers.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

type Server = Pick<ServerTarget, "flagText">;

export function verdictNext(
  value: VerdictValue,
  server: Server,
  asked: Asked,
): readonly NextValue[] {
  const { callers, silent } = inTheWay(value);
  const standing = endNext(value.waivers, server);
  const others = othersNext(value.decidedByOthers, server);
  const follow = followNext(value.flips, server);
  if (value.strictAlready) {
    return [...callersNext(value, callers, server), ...follow, strictNext(value, server), ...others];
  }
  // A flip beside one that is under way would be refused.
  if (verdictExit(value) === ExitCode.ok) {
    const flip = follow.length > 0 ? follow : [safeNext(value, server, asked)];
    return [...flip, ...standing, ...others];
  }
  const waive = waiveNext(value, [...callers, ...silent], server, asked);
  return [
    ...callersNext(value, callers, server),
    ...waitNext(value, callers),
    ...silentNext(value, silent, server),
    ...(follow.length > 0 ? follow : [waive]),
    ...standing,
    ...others,
  ];
}

function strictNext({ target }: Pick<VerdictValue, "target">, server: Server): NextValue {
  const [namespace = ""] = target.split("/", 1);
  const command = commandOf(server, "mtls status", ["-n", namespace]);
  return { command, why: "it is STRICT already; what is in force" };
}

function safeNext(value: VerdictValue, server: Server, asked: Asked): NextValue {
  const { target, ports } = value;
  const modes = new Set(ports.map(({ mode }) => mode.toLowerCase()));
  if (modes.has("disable")) {
    const open = [target, "--until", "DATE", "--owner", "NAME"];
    const command = commandOf(server, "mtls permissive", open);
    return { command, why: "what is DISABLE becomes PERMISSIVE first" };
  }
  if (modes.size === 1 && modes.has("strict")) return strictNext(value, server);
  return { command: commandOf(server, "mtls flip", [target, ...flipWordsOf(asked)]), why: "" };
}

function callersNext(
  { ports }: VerdictValue,
  callers: readonly CallerValue[],
  server: Server,
): readonly NextValue[] {
  const port = ports.find((each) => each.port !== null);
  const callee = port === undefined ? "NAMESPACE/WORKLOAD:PORT" : `${port.workload}:${port.port}`;
  const byHolder = Map.groupBy(callers, ({ holder }) => holder);
  const deeds = [...callerDeeds].flatMap(([holder, deed]) => {
    const all = byHolder.get(holder) ?? [];
    if (all.length === 0) return [];
    const names = [...new Set(all.map(({ name }) => name))];
    return [{ command: "", why: deed(firstOf(names)) }];
  });
  const configured = byHolder.get("configuration") ?? [];
  return [
    ...configured.slice(0, namedMax).map((each) => explainNext(each, callee, server)),
    ...deeds,
  ];
}

function explainNext({ name, called }: CallerValue, callee: string, server: Server): NextValue {
  const words = [name, called[0] ?? callee];
  const command = commandOf(server, "mtls explain", words);
  return { command, why: `${name} is told not to use mTLS, which this says why` };
}

/** Whoever has stopped does not count any more when the look-back is past it. */
function waitNext({ since }: VerdictValue, callers: readonly CallerValue[]): readonly NextValue[] {
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

function silentNext(
  { target, now }: VerdictValue,
  silent: readonly SilentValue[],
  server: Server,
): readonly NextValue[] {
  const byReason = Map.groupBy(silent, ({ reason }) => reason);
  const command = (reason: string): string => {
    if (reason === "never-reported" || reason === "away") return commandOf(server, "status", []);
    if (reason === "unheard" || reason === "envoy-away")
      return strictNext({ target }, server).command;
    if (reason !== "too-young") return "";
    return commandOf(server, "mtls check", [target, "--look-back", youngest(byReason, now)]);
  };
  return [...silentDeeds].flatMap(([reason, deed]) => {
    const all = byReason.get(reason) ?? [];
    if (all.length === 0) return [];
    const names = [...new Set(all.map(({ name }) => name))];
    return [{ command: command(reason), why: deed(firstOf(names)) }];
  });
}

/** As long as all of them have been there, and no shorter than a look-back can be. */
function youngest(byReason: ReadonlyMap<string, readonly SilentValue[]>, now: string): string {
  const born = (byReason.get("too-young") ?? []).map(({ since }) => Date.parse(since));
  return formatDuration(Math.max(30, Math.floor((Date.parse(now) - Math.max(...born)) / 1_000)));
}

const namedMax = 3;

function waiveNext(
  { target }: VerdictValue,
  all: readonly { readonly name: string }[],
  server: Server,
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
