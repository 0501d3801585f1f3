/** Checkpoints that agents hold, as an operator brings them: an agent's `witness.json`, or a note alone. */

import { readPipedFile } from "../../edge/config/piped-file.ts";

const FILE_BYTES_MAX = 65_536;

/** By the names of their files; nothing in them is verified. @throws PrivateFileError */
export async function readCheckpoints(
  files: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const notes = new Map<string, string>();
  for (const file of files) {
    const text = Buffer.from(await readPipedFile(file, FILE_BYTES_MAX, signal)).toString("utf8");
    notes.set(file, noteOf(text));
  }
  return notes;
}

function noteOf(text: string): string {
  try {
    const document: unknown = JSON.parse(text);
    const isWitness = typeof document === "object" && document !== null && "note" in document;
    return isWitness && typeof document.note === "string" ? document.note : text;
  } catch {
    return text;
  }
}
