/**
 * argv, the environment and a verb's table of flags -> typed flags and arguments, or a UsageError
 * that names the flag and the nearest one that exists. Node's parseArgs splits the words; what they
 * mean is decided here.
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

import { parseDuration } from "../../core/duration.ts";
import { PortcullisError } from "../../core/error.ts";
import { didYouMean } from "../../edge/config/nearest-match.ts";
import type { Environment } from "../../edge/config/paths.ts";
import type { AnyFlagValue, Command, Flag, FlagTable, FlagValues, Positional } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export interface CommandLine {
  readonly flags: FlagValues<FlagTable>;
  readonly args: readonly string[];
}

/**
 * @param path the verb's words, for hints
 * @param argv what follows them
 */
export function parseCommandLine(
  path: readonly string[],
  command: Pick<Command, "flags" | "positionals">,
  argv: readonly string[],
  env: Environment,
): CommandLine {
  try {
    const { texts, args } = splitWords(command.flags, argv);
    checkPositionals(command.positionals ?? [], args);
    const values = Object.entries(command.flags).map(([name, flag]) => {
      return [name, flagValue(name, flag, texts.get(name), env)] as const;
    });
    return { flags: Object.fromEntries(values), args };
  } catch (error) {
    if (!(error instanceof UsageError) || error.hint !== undefined) throw error;
    const hint = `portcullis help ${path.join(" ")}`;
    throw new UsageError(error.code, error.message, { cause: error.cause, hint });
  }
}

/** Whether `-h` or `--help` is among the words, up to a `--`. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.includes("-h") || words.includes("--help");
}

interface Words {
  /** By flag; a boolean flag that was given has no texts. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly args: readonly string[];
}

function splitWords(table: FlagTable, argv: readonly string[]): Words {
  const flags = new Map(Object.entries(table));
  const { tokens } = parseArgs({
    args: [...argv],
    options: parseArgsOptions(table),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const texts = new Map<string, string[]>();
  const args: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") args.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.get(token.name);
    if (flag === undefined) {
      const near = didYouMean(
        token.rawName,
        [...flags.keys()].map((name) => `--${name}`),
      );
      throw new UsageError("usage-unknown-flag", `unknown flag ${token.rawName}${near}`);
    }
    const given = texts.get(token.name) ?? [];
    texts.set(token.name, [...given, ...optionTexts(flag, token)]);
  }
  return { texts, args };
}

function parseArgsOptions(table: FlagTable): ParseArgsOptionsConfig {
  const options = Object.entries(table).map(
    ([name, { type, short }]): [string, ParseArgsOption] => {
      const kind = type === "boolean" ? "boolean" : "string";
      return [name, short === undefined ? { type: kind } : { type: kind, short }];
    },
  );
  return Object.fromEntries(options);
}

type ParseArgsOption = ParseArgsOptionsConfig[string];

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function optionTexts(flag: Flag, { rawName, value, inlineValue }: OptionToken): readonly string[] {
  if (flag.type === "boolean") {
    if (value === undefined) return [];
    throw invalid(rawName, `expected no value, got ${JSON.stringify(value)}`);
  }
  // `--out --force`: the word after it is a flag, not its value; `--out=--force` says that it is
  // meant.
  if (value === undefined || (inlineValue === false && /^-./.test(value))) {
    const message = `${rawName}: expected ${flag.valueName}, got ${value ?? "nothing"}`;
    throw new UsageError("usage-missing-value", message);
  }
  return [value];
}

function flagValue(
  name: string,
  flag: Flag,
  texts: readonly string[] | undefined,
  env: Environment,
): AnyFlagValue {
  if (flag.type === "boolean") return texts !== undefined;
  const variable = flag.env === undefined ? undefined : env[flag.env] || undefined;
  const place = texts === undefined && variable !== undefined ? flag.env : undefined;
  const text = variable ?? flag.default;
  const given = texts ?? (text === undefined ? [] : [text]);
  if (given.length === 0 && flag.required === true) {
    const other = flag.env === undefined ? "" : ` (or ${flag.env} in the environment)`;
    const message = `--${name}${other} is required`;
    throw new UsageError("usage-missing-flag", message);
  }
  const values = given.map((each) => parseValue(place ?? `--${name}`, flag, each));
  return flag.multiple === true ? values : values.at(-1);
}

function parseValue(
  place: string,
  flag: Exclude<Flag, { type: "boolean" }>,
  text: string,
): number | string {
  checkChoice(place, flag.choices, text);
  switch (flag.type) {
    case "string":
      return text;
    case "integer":
      return parseInteger(place, text);
    case "duration":
      return parseDurationAt(place, text);
    default:
      return flag.type satisfies never;
  }
}

function parseInteger(place: string, text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw invalid(place, `expected an integer, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}

function parseDurationAt(place: string, text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof PortcullisError) throw invalid(place, error.message, error);
    throw error;
  }
}

function checkPositionals(positionals: readonly Positional[], args: readonly string[]): void {
  for (const [index, { name, choices, optional }] of positionals.entries()) {
    const arg = args[index];
    if (arg !== undefined) checkChoice(name, choices, arg);
    else if (optional !== true) throw new UsageError("usage-missing-argument", `expected ${name}`);
  }
  const extra = args[positionals.length];
  if (extra === undefined) return;
  const message = `unexpected argument ${JSON.stringify(extra)}`;
  throw new UsageError("usage-unexpected-argument", message);
}

function checkChoice(place: string, choices: readonly string[] | undefined, text: string): void {
  if (choices === undefined || choices.includes(text)) return;
  const near = didYouMean(text, choices);
  const list = choices.join(", ");
  throw invalid(place, `expected one of ${list}, got ${JSON.stringify(text)}${near}`);
}

function invalid(place: string, reason: string, cause?: PortcullisError): UsageError {
  return new UsageError("usage-invalid-value", `${place}: ${reason}`, {
    ...(cause?.hint !== undefined && { hint: cause.hint }),
    cause,
  });
}
