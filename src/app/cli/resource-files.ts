/** `-f FILE|DIR|-`: manifests that an operator names, as objects. */

import { stat } from "node:fs/promises";
import { addAbortSignal } from "node:stream";

import { PortcullisError } from "../../core/error.ts";
import { readPipedFile } from "../../edge/config/piped-file.ts";
import { PrivateFileError } from "../../edge/config/private-files.ts";
import {
  hasErrors,
  manifestLimits,
  type LoadedObject,
  type ManifestProblem,
  type ParsedManifests,
} from "../../edge/resources/manifest.ts";
import { listManifests, readManifest } from "../../edge/resources/manifest-files.ts";
import { mergeManifests } from "../../edge/resources/merge-manifests.ts";
import { parseManifests } from "../../edge/resources/parse-manifests.ts";
import type { Context } from "./command.ts";

/** The flag, for the table of a verb that reads manifests. */
export const filenameFlag = {
  filename: {
    type: "string",
    short: "f",
    valueName: "FILE",
    help: "manifests: a file, a directory, or - for stdin",
    multiple: true,
  },
} as const;

/** Manifests that cannot be used; the problems say what is wrong with each. */
export class ManifestsError extends PortcullisError<"manifests-invalid"> {
  override name = "ManifestsError";
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[]) {
    const errors = problems.filter(({ severity }) => severity === "error");
    const [first] = errors;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    const text = first === undefined ? "invalid manifests" : problemLine(first);
    super("manifests-invalid", `${text}${more}`, {
      hint: "portcullis validate, with the same -f, shows all",
    });
    this.problems = problems;
  }
}

/** `FILE:LINE: PATH: TEXT; HINT` */
export function problemLine({ origin, path, text, hint }: ManifestProblem): string {
  const where = path === "" ? origin : `${origin}: ${path}`;
  return `${where}: ${text}${hint === "" ? "" : `; ${hint}`}`;
}

/**
 * All of them together: an object that stands twice is a problem.
 * @throws PrivateFileError for what cannot be read
 */
export async function readResourceFiles(
  paths: readonly string[],
  context: Pick<Context, "signal">,
): Promise<ParsedManifests> {
  const parsed: ParsedManifests[] = [];
  for (const { text, name } of await readTexts(paths, context)) {
    parsed.push(parseManifests(text, name));
  }
  return mergeManifests(parsed);
}

/**
 * The same where all of them are needed.
 * @returns warnings as problems
 * @throws ManifestsError, PrivateFileError
 */
export async function loadResourceFiles(
  paths: readonly string[],
  context: Pick<Context, "signal">,
): Promise<{
  readonly objects: readonly LoadedObject[];
  readonly problems: readonly ManifestProblem[];
}> {
  const parsed = await readResourceFiles(paths, context);
  if (hasErrors(parsed.problems)) throw new ManifestsError(parsed.problems);
  return parsed;
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** @throws PrivateFileError */
export async function readTexts(
  paths: readonly string[],
  { signal }: Pick<Context, "signal">,
): Promise<readonly NamedText[]> {
  const texts: NamedText[] = [];
  for (const path of paths) {
    const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
    const files = isDirectory ? (await listManifests(path)).files : [];
    for (const file of files) texts.push({ name: file.path, text: await readManifest(file.path) });
    if (!isDirectory) texts.push(await readOne(path, signal));
  }
  return texts;
}

async function readOne(path: string, signal: AbortSignal): Promise<NamedText> {
  if (path === "-") return { name: "stdin", text: await readStdin(signal) };
  const bytes = await readPipedFile(path, manifestLimits.fileBytes, signal);
  return { name: path, text: Buffer.from(bytes).toString("utf8") };
}

/** Not by its path: that of a socket, which a parent process may have put there, cannot be opened. */
async function readStdin(signal: AbortSignal): Promise<string> {
  const most = manifestLimits.fileBytes;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of addAbortSignal(signal, process.stdin)) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > most) {
      const message = `stdin: expected at most ${most} bytes, got more`;
      throw new PrivateFileError("file-too-large", message, { hint: "name files: -f FILE" });
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}
