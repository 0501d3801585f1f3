/**
 * What a verb is: data (flags, arguments, examples) and one function. The frame parses, helps,
 * completes and reports from the data, so a verb never reads argv, never writes an error and never
 * ends the process.
 */

import type { Environment } from "../../edge/config/paths.ts";

/** Scripts rely on these; they are part of the compatibility promise. */
export const ExitCode = {
  /** Done, or the answer is yes. */
  ok: 0,
  /** It could not be done. */
  error: 1,
  /** The command line or the configuration cannot be understood. */
  usage: 2,
  /** Done, with a warning; or the answer is not known. */
  warning: 3,
  /** Refused on purpose, or the answer is no. */
  refused: 4,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface TextSink {
  write(text: string): unknown;
}

/** The world of a verb. */
export interface Context {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Environment;
  /** Aborted on SIGINT, on SIGTERM and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  /** Whether stdout is a terminal. */
  readonly isTty: boolean;
  /**
   * Asks the person at the terminal, once. Absent where there is none, which is never a yes; undefined is an answer that
   * did not come.
   */
  readonly ask?: (question: string) => Promise<string | undefined>;
  /** Width for wrapped text. */
  readonly columns: number;
  /** All verbs, for help and completion. */
  readonly registry: Registry;
}

interface FlagBase {
  /** One letter. */
  readonly short?: string;
  /** Lower case, no final period. */
  readonly help: string;
}

interface BooleanFlag extends FlagBase {
  readonly type: "boolean";
}

interface ValueFlag extends FlagBase {
  /**
   * `duration` is written as `1h30m` or `90d` and arrives in seconds; `integer` is not negative.
   */
  readonly type: "string" | "integer" | "duration";
  /** In the help; `FILE` and `DIR` also choose what is completed. */
  readonly valueName: string;
  readonly choices?: readonly string[];
  /** Variable that stands in for the flag when it is not given. */
  readonly env?: string;
  /** As the user would write it. */
  readonly default?: string;
  readonly required?: boolean;
  /** May be given several times, and arrives as an array. */
  readonly multiple?: boolean;
  /** What the verb itself does with it, for the help: `default the directory of portcullis dev`. */
  readonly notes?: readonly string[];
}

export type Flag = BooleanFlag | ValueFlag;

/** By long name, without the dashes. */
export type FlagTable = Readonly<Record<string, Flag>>;

type Scalar<F extends Flag> = F extends { type: "boolean" }
  ? boolean
  : F extends { type: "integer" | "duration" }
    ? number
    : F extends { choices: readonly (infer Choice)[] }
      ? Choice
      : string;

type FlagValue<F extends Flag> = [Flag] extends [F]
  ? AnyFlagValue
  : F extends { multiple: true }
    ? readonly Scalar<F>[]
    : F extends { multiple: boolean }
      ? Scalar<F> | readonly Scalar<F>[] | undefined
      : F extends { type: "boolean" } | { default: string } | { required: true }
        ? Scalar<F>
        : Scalar<F> | undefined;

/** What a flag of a table made at run time may be. */
export type AnyFlagValue = boolean | number | string | readonly (number | string)[] | undefined;

export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: FlagValue<Flags[Name]>;
};

export interface Positional {
  /** In capitals. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  readonly optional?: boolean;
}

export interface Example {
  readonly what: string;
  readonly command: string;
}

export interface Command<Flags extends FlagTable = FlagTable> {
  /** What the summary does not say: whole sentences, paragraphs apart by an empty line. */
  readonly description?: string;
  readonly flags: Flags;
  readonly positionals?: readonly Positional[];
  readonly examples: readonly Example[];
  /** @param args one for each positional that was given, already checked against its choices */
  run(context: Context, flags: FlagValues<Flags>, args: readonly string[]): Promise<ExitCode>;
}

/** Types the flags of `run` by the table. */
export function defineCommand<const Flags extends FlagTable>(command: Command<Flags>): Command {
  return command;
}

/** A line of the registry. The verb's module is loaded only when the verb is used. */
export interface CommandEntry {
  /** The words that name it: `["token", "mint"]`. */
  readonly path: readonly string[];
  /** One line, imperative, no final period. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All verbs, in the order of the help. */
export type Registry = readonly CommandEntry[];
