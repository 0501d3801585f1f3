/**
 * The frame: argv to verb to exit code. It is the one place that prints errors, and it never
 * throws: whatever a verb throws becomes `error:` and `hint:` lines on stderr and a documented exit
 * code.
 */

import { didYouMean } from "../../edge/config/nearest-match.ts";
import { ExitCode, type CommandEntry, type Context, type Registry } from "./command.ts";
import { asksForHelp, parseCommandLine } from "./command-line.ts";
import { commandHelp, overview } from "./help.ts";
import { reportError } from "./report-error.ts";
import { UsageError } from "./usage-error.ts";

/** @param argv what follows the program's name */
export async function runCli(argv: readonly string[], context: Context): Promise<ExitCode> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    return reportError(error, argv, context);
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<ExitCode> {
  if (argv[0] === "--version") return dispatch(["version", ...argv.slice(1)], context);
  if (argv[0] === "help") return showHelp(argv.slice(1), context);
  const entry = findEntry(argv, context.registry);
  if (entry === undefined || asksForHelp(argv.slice(entry.path.length))) {
    return showHelp(argv, context);
  }
  const command = await entry.load();
  const { flags, args } = parseCommandLine(
    entry.path,
    command,
    argv.slice(entry.path.length),
    context.env,
  );
  return command.run(context, flags, args);
}

async function showHelp(
  argv: readonly string[],
  { stdout, columns, registry }: Context,
): Promise<ExitCode> {
  const entry = findEntry(argv, registry);
  if (entry !== undefined) {
    stdout.write(commandHelp(entry, await entry.load(), columns));
    return ExitCode.ok;
  }
  const words = leadingWords(argv);
  const rest = argv.slice(words.length);
  const entries = registry.filter(({ path }) => startsWith(path, words));
  if (entries.length === 0) throw unknownVerb(words, registry);
  if (rest.length > 0 && !asksForHelp(rest)) {
    const message = `expected a verb before flags, got ${rest[0]}`;
    throw new UsageError("usage-unknown-verb", message, { hint: helpFor(words) });
  }
  stdout.write(overview(words, entries, columns));
  return ExitCode.ok;
}

/**
 * The verb that `argv` begins with. No verb's path begins with another's, so there is at most one.
 */
function findEntry(argv: readonly string[], registry: Registry): CommandEntry | undefined {
  return registry.find(({ path }) => startsWith(argv, path));
}

function unknownVerb(words: readonly string[], registry: Registry): UsageError {
  let known = 0;
  while (registry.some(({ path }) => startsWith(path, words.slice(0, known + 1)))) known++;
  const asked = words.slice(0, known + 1).join(" ");
  const candidates = registry.map(({ path }) => path.slice(0, known + 1).join(" "));
  const message = `unknown verb "${asked}"${didYouMean(asked, candidates)}`;
  return new UsageError("usage-unknown-verb", message, { hint: helpFor(words.slice(0, known)) });
}

function helpFor(words: readonly string[]): string {
  return ["portcullis help", ...words].join(" ");
}

function leadingWords(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith("-"));
  return end === -1 ? argv : argv.slice(0, end);
}

function startsWith(words: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((word, index) => words[index] === word);
}
