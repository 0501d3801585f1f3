/** The flags of `mtls flip` that no other verb has, and what may not stand together. */

import { PortcullisError } from "../../core/error.ts";
import { parseStages } from "../../core/flip/stages.ts";
import { formatDuration } from "./format.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { UsageError } from "./usage-error.ts";
import type { WaiverFlags } from "./waiver-flags.ts";

export const flipFlags = {
  to: {
    type: "string",
    valueName: "MODE",
    help: "begin a flip to that mode; without it the flip of TARGET is followed",
    choices: ["strict", "permissive"],
  },
  stages: {
    type: "string",
    valueName: "LIST",
    help: "how many workloads go first, then next",
    notes: ["default 1,10%,all"],
  },
  "revert-window": {
    type: "duration",
    valueName: "DURATION",
    help: "how long it is watched after the last stage",
    notes: ["default 10m"],
  },
  "revert-on-refused": {
    type: "integer",
    valueName: "N",
    help: "take it back when so many workloads are refused, by name, within the window",
    notes: ["default never"],
  },
  waive: {
    type: "string",
    valueName: "NAME",
    help: "go on without a caller or a silent proxy, as mtls check names it; * for any text",
    multiple: true,
  },
  yes: { type: "boolean", help: "flip and waive without being asked" },
  "no-follow": {
    type: "boolean",
    help: "end when it has begun; of one under way, say where it stands, and end",
  },
} as const;

export interface FlipFlagValues extends WaiverFlags {
  readonly to: "strict" | "permissive" | undefined;
  readonly stages: string | undefined;
  readonly "revert-window": number | undefined;
  readonly "revert-on-refused": number | undefined;
  readonly "look-back": number | undefined;
  readonly "dry-run": boolean;
  readonly output: string;
}

const hint = "portcullis help mtls flip";

/** Whoever follows begins nothing. @throws UsageError */
export function assertFollows(flags: FlipFlagValues): void {
  const given = [
    ...(["stages", "revert-window", "revert-on-refused", "look-back"] as const),
    ...(["waive", "reason", "for"] as const),
  ].find((name) => !isNone(flags[name]));
  const named = given ?? (flags["dry-run"] ? "dry-run" : flags.yes ? "yes" : undefined);
  if (named === undefined) return;
  const message = `--${named}: expected --to strict with it`;
  throw new UsageError("usage-missing-flag", message, { hint });
}

/** What a server would refuse is found before it is asked, and by the flag's name. @throws UsageError */
export function assertFlip(
  flags: Pick<FlipFlagValues, "stages" | "revert-on-refused" | "revert-window">,
): void {
  const { stages, "revert-on-refused": refused, "revert-window": window } = flags;
  if (window === 0) {
    const message = "--revert-window: expected 1s or more, got 0s; without it, 10m";
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  if (refused === 0) {
    const message = "--revert-on-refused: expected 1 workload or more, got 0; without it, never";
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  try {
    if (stages !== undefined) parseStages(stages);
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    const options = { cause, hint: cause.hint ?? hint };
    throw new UsageError("usage-invalid-value", `--stages: ${cause.message}`, options);
  }
}

function isNone(value: string | number | readonly string[] | undefined): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/** The way back and the way to be permissive for a time have verbs of their own. */
export function toPermissive(target: string, server: Pick<ServerTarget, "flagText">): UsageError {
  const message = "--to: expected strict, got permissive: that is another verb's";
  const open = [target, "--until", "30d", "--owner", "NAME"];
  const hints = [
    `to take a flip back: ${commandOf(server, "mtls revert", [target])}`,
    `for a time, with somebody who answers for it: ${commandOf(server, "mtls permissive", open)}`,
  ];
  return new UsageError("usage-invalid-value", message, { hint: hints.join("\n") });
}

/** As they were given but for waivers, for a command that is printed. */
export function flipWords(flags: FlipFlagValues): readonly string[] {
  const { stages, "revert-on-refused": refused, output } = flags;
  const [window, lookBack] = (["revert-window", "look-back"] as const).map((name) => {
    const seconds = flags[name];
    return seconds === undefined ? [] : [`--${name}`, formatDuration(seconds)];
  });
  return [
    "--to",
    "strict",
    ...(stages === undefined ? [] : ["--stages", stages]),
    ...(window ?? []),
    ...(refused === undefined ? [] : ["--revert-on-refused", String(refused)]),
    ...(lookBack ?? []),
    ...(output === "table" ? [] : ["-o", output]),
  ];
}
