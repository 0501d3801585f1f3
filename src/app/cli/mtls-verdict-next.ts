/** What to do after a verdict: the next command, or what ends each kind of caller and of silence. */

import { ExitCode } from "./command.ts";
import { formatSpan } from "./format.ts";
import { flipWordsOf, type Asked } from "./mtls-asked.ts";
import { callerDeeds, silentDeeds } from "./mtls-verdict-deeds.ts";
import { verdictExit } from "./mtls-verdict-line.ts";
import {
  inTheWay,
  type CallerValue,
  type SilentValue,
  type VerdictValue,
} from "./mtls-verdict-value.ts";
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
  if (value.strictAlready) return [...callersNext(callers, server), strictNext(value, server)];
  if (verdictExit(value) === ExitCode.ok) return [safeNext(value, server, asked)];
  return [
    ...callersNext(callers, server),
    ...waitNext(value, callers),
    ...silentNext(value, silent, server),
    waiveNext(value, [...callers, ...silent], server, asked),
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

function callersNext(callers: readonly CallerValue[], server: Server): readonly NextValue[] {
  const byHolder = Map.groupBy(callers, ({ holder }) => holder);
  const deeds = [...callerDeeds].flatMap(([holder, deed]) => {
    const all = byHolder.get(holder) ?? [];
    if (all.length === 0) return [];
    const names = [...new Set(all.map(({ name }) => name))];
    return [{ command: "", why: deed(firstOf(names)) }];
  });
  const configured = byHolder.get("configuration") ?? [];
  return [...configured.slice(0, namedMax).map((each) => explainNext(each, server)), ...deeds];
}

function explainNext({ name, called }: CallerValue, server: Server): NextValue {
  const words = [name, called[0] ?? "NAMESPACE/WORKLOAD:PORT"];
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
  { target }: VerdictValue,
  silent: readonly SilentValue[],
  server: Server,
): readonly NextValue[] {
  const byReason = Map.groupBy(silent, ({ reason }) => reason);
  const command = (reason: string): string => {
    if (reason === "never-reported" || reason === "away") return commandOf(server, "status", []);
    if (reason === "unheard") return strictNext({ target }, server).command;
    if (reason !== "too-young") return "";
    return commandOf(server, "mtls check", [target, "--look-back", "DURATION"]);
  };
  return [...silentDeeds].flatMap(([reason, deed]) => {
    const all = byReason.get(reason) ?? [];
    if (all.length === 0) return [];
    const names = [...new Set(all.map(({ name }) => name))];
    return [{ command: command(reason), why: deed(firstOf(names)) }];
  });
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
  const { selectors = [], reason = "TEXT", seconds } = asked.wanted ?? {};
  const waived = [...selectors, ...named].flatMap((name) => ["--waive", name]);
  const time = seconds === undefined ? "DURATION" : `${seconds}s`;
  const rest = [...flipWordsOf(asked), ...waived, "--reason", reason, "--for", time];
  const command = commandOf(server, "mtls flip", [target, ...rest]);
  return { command, why: "or go without them, if they may fail" };
}
