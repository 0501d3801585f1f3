/** What to do after a verdict: the next command, or what ends each kind of caller and of silence. */

import { ExitCode } from "./command.ts";
import { formatDuration } from "./format.ts";
import { flipWordsOf, type Asked } from "./mtls-asked.ts";
import { callerDeeds, silentDeeds } from "./mtls-verdict-deeds.ts";
import { followNext, othersNext } from "./mtls-surroundings.ts";
import { takesNoCalls, verdictExit } from "./mtls-verdict-line.ts";
import {
  inTheWay,
  type CallerValue,
  type SilentValue,
  type VerdictValue,
} from "./mtls-verdict-value.ts";
import { waitNext, waiveMeanwhileNext, waiveNext } from "./mtls-verdict-waive.ts";
import { endNext } from "./mtls-waivers.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

/** Of callers by configuration. */
const namedMax = 3;

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
    return [
      ...callersNext(value, callers, server),
      ...follow,
      strictNext(value, server),
      ...others,
    ];
  }
  // A flip beside one that is under way would be refused.
  if (verdictExit(value) === ExitCode.ok) {
    const flip = follow.length > 0 ? follow : [safeNext(value, server, asked)];
    return [...flip, ...standing, ...others];
  }
  // Of nobody nothing can be flipped, whoever is passed over.
  const isNobody = silent.some(({ reason }) => reason === "nobody");
  const all = [...callers, ...silent];
  const waive = isNobody ? [] : [waiveNext(value, all, server, asked)];
  // A flip that is under way goes on with it.
  const [flip] = value.flips;
  const isAlone = isNobody || flip === undefined;
  const meanwhile = isAlone ? [] : waiveMeanwhileNext(flip.target, all, server);
  return [
    ...callersNext(value, callers, server),
    ...waitNext(value, callers),
    ...silentNext(value, silent, server),
    ...(follow.length > 0 ? [...meanwhile, ...follow] : waive),
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
  if (takesNoCalls(value)) {
    const [namespace = ""] = target.split("/", 1);
    return { command: commandOf(server, "get", ["-n", namespace]), why: "what is there" };
  }
  const modes = new Set(ports.map(({ mode }) => mode.toLowerCase()));
  if (modes.has("disable")) {
    const open = [target, "--until", "30d", "--owner", "NAME"];
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
    if (reason !== "too-young" && reason !== "set-aside") return "";
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
  const young = ["too-young", "set-aside"].flatMap((reason) => byReason.get(reason) ?? []);
  const born = young.map(({ since }) => Date.parse(since));
  return formatDuration(Math.max(30, Math.floor((Date.parse(now) - Math.max(...born)) / 1_000)));
}
